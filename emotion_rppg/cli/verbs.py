"""The two command groups that verbs are registered in: `emotion-rppg` and `emotion-rppg train`."""

from __future__ import annotations

from typing import Annotated

import typer

from emotion_rppg._version import __version__

app = typer.Typer(
    help="Estimate arousal and valence from the pulse in a face video: video → pulse wave → "
    "beats and features → arousal and valence. `emotion-rppg VERB --help` shows the options of "
    "a verb and an example.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
train = typer.Typer(
    help="Train a pulse network, a beat encoder or an emotion model. "
    "`emotion-rppg train pulse --help` shows the options and an example."
)
app.add_typer(train, name="train", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit

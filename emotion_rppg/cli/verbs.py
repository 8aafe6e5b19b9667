"""The commands that the verbs join: `emotion-rppg` and `emotion-rppg train`."""

from __future__ import annotations

from typing import Annotated

import typer

from emotion_rppg._version import __version__

app = typer.Typer(
    help="Emotion from the pulse a camera sees: video → pulse → features → arousal and valence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
train = typer.Typer(help="Train a pulse network, a beat encoder or an emotion model.")
app.add_typer(train, name="train", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit

"""`inspect`: what is in a file, and which channel would be read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotion_rppg.cli.console import print_result, user_errors
from emotion_rppg.cli.options import Json
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError


@app.command("inspect")
def inspect_file(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE|FOLDER", help="Signal file, video, or a folder of them."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="PNG file to write: ten seconds of each channel of one file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the channels of a file: kind, unit, rate, duration, missing samples, and what is read.

    A star marks the channels that are read without an option; another is chosen with --channel.

    Example: emotion-rppg inspect recording.edf --out channels.png
    """
    with user_errors():
        from emotion_rppg.features.trust import closing_line
        from emotion_rppg.study.inspection import inspect_path, inspection_as_text

        found = inspect_path(path)
        if out is not None:
            if len(found) > 1 or found[0].width is not None:
                raise InputError(f"--out draws the channels of one signal file: {path} is not one")
            from emotion_rppg.report.plots.channels import plot_channels
            from emotion_rppg.runtime.atomic_files import atomic_file

            read = {channel.name: channel.read_as for channel in found[0].channels}
            figure = plot_channels(found[0].signals, read=read)
            with atomic_file(out) as temporary:
                figure.savefig(temporary, format="png", dpi=130)
        parts = [part for one in found for part in one.channels or (one,)]
        closing = closing_line([p.problem for p in parts if p.problem], len(parts), "channel")
        text = "\n\n".join([*(inspection_as_text(one) for one in found), closing])
        print_result(text, as_json, {"files": [one.to_dict() for one in found]})

"""`export`: a pulse network as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotion_rppg.cli.console import print_result, progress_bar, user_errors
from emotion_rppg.cli.options import Json
from emotion_rppg.cli.verbs import app


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="FILE.onnx", help="File to write.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="Folder of a trained pulse network. Default: the bundled one."),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(help="Frames of the clips that the file takes. Default: ten seconds.", min=16),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a pulse network as ONNX: crops of a face in, the pulse wave out.

    Needs the extra onnx; `emotion-rppg doctor` says how to install it.

    Example: emotion-rppg export physnet.onnx
    """
    with user_errors():
        from emotion_rppg.pulse.inference.export import export_onnx

        with progress_bar("exporting"):
            shape = export_onnx(out, weights, frames=frames)
        text = f"input: clip {shape}, RGB 0–255; output: wave (1, {shape[2]}) → {out}"
        print_result(text, as_json, {"input": list(shape), "out": str(out)})

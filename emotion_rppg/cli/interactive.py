"""`app` and `demo`: show the package at work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotion_rppg.cli.console import print_result, progress_bar, user_errors
from emotion_rppg.cli.options import Json, OutFolder, Seed, TrainDevice
from emotion_rppg.cli.verbs import app


@app.command("app")
def web_page(
    model: Annotated[
        Path | None,
        typer.Option(help="Emotion model whose predictions the page also shows: its folder."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1. Default: the first free one from 7860.")
    ] = None,
) -> None:
    """Serve a web page on this machine: upload or record a face video, see its pulse and HRV.

    Needs the extra app; `emotion-rppg doctor` says how to install it.

    Example: emotion-rppg app --model model
    """
    with user_errors():
        from emotion_rppg.app import page, serve

        with page(model) as blocks:
            serve(blocks, port=port)


@app.command()
def demo(
    out: OutFolder = Path("demo"),
    seed: Seed = 0,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of parallel processes. Default: all cores."),
    ] = None,
    device: TrainDevice = "auto",
    as_json: Json = False,
) -> None:
    """Run all stages on synthetic people (minutes); then open demo/report.html.

    It makes videos, trains small networks, extracts features, evaluates heads and fits a model.

    Example: emotion-rppg demo --out demo
    """
    with user_errors():
        from emotion_rppg.demo import run_demo

        result = run_demo(out, seed=seed, workers=workers, device=device, progress=progress_bar)
        print_result(result["text"], as_json, result["json"])

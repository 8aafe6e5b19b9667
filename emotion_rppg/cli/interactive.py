"""`live`, `app`, `demo`: the package at work before one's eyes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from emotion_rppg.cli.console import plainly, progress_bar, say
from emotion_rppg.cli.options import Device, Json, Method, Out, Region
from emotion_rppg.cli.verbs import app


@app.command()
def live(
    camera: Annotated[str, typer.Option(help="Number of the camera, or a video file.")] = "0",
    method: Method = "pos",
    region: Region = "face",
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so long.")] = None,
    paced: Annotated[bool, typer.Option(help="A file at the pace it was taken.")] = True,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Watch the pulse of whoever sits before the camera; with --json a line a second.

    Example: emotion-rppg live --camera 0
    """
    with plainly():
        from emotion_rppg.live import watch
        from emotion_rppg.video.live_capture import camera_frames, replayed

        number = int(camera) if camera.isdigit() else None
        source = (
            camera_frames(number) if number is not None else replayed(Path(camera), paced=paced)
        )
        for reading in watch(source, method, region=region, device=device):
            typer.echo(json.dumps(reading.as_json()) if as_json else str(reading))
            if seconds is not None and reading.time_s >= seconds:
                return


@app.command("app")
def web_page(
    model: Annotated[Path | None, typer.Option(help="Model folder: adds the emotion.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: the first free from 7860.")] = None,
) -> None:
    """Serve a web page on this machine alone: a face video in, pulse and HRV out.

    Example: emotion-rppg app --model model
    """
    with plainly():
        from emotion_rppg.app import page, serve

        with page(model) as blocks:
            serve(blocks, port=port)


@app.command()
def demo(
    out: Out = Path("demo"),
    seed: int = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Default: all cores.")] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """The whole chain on synthetic people: videos, features, evaluation, model, report.html.

    Example: emotion-rppg demo --out demo
    """
    with plainly():
        from emotion_rppg.cli.demo import run_demo

        result = run_demo(out, seed=seed, workers=workers, device=device, progress=progress_bar)
        say(result["text"], as_json, result["json"])

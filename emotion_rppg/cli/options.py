"""Arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", help="Where the result goes.")]
Json = Annotated[bool, typer.Option("--json", help="Last line of output: one JSON object.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps; openvino.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes to use.")]
Region = Annotated[str, typer.Option(help="face, full, or x,y,w,h in pixels.")]
Face = Annotated[int | None, typer.Option(help="Which face, 1 = the largest.", min=1)]
Weights = Annotated[Path | None, typer.Option(help="Folder of a trained pulse network.")]
Method = Annotated[str, typer.Option(help="green, chrom, pos …, or the folder of a network.")]
Channel = Annotated[
    str | None, typer.Option(help="Column or channel to read, of files with several.")
]
Length = Annotated[float, typer.Option(help="Window length in seconds.")]
Step = Annotated[float, typer.Option(help="Seconds from one window's start to the next.")]
MinQuality = Annotated[
    float | None,
    typer.Option(
        "--min-quality",
        help="Withhold windows of a lower quality, 0–1. Default: camera 0.6, PPG 0.3, ECG 0.5.",
    ),
]
Dataset = Annotated[str | None, typer.Option(help="A data set's name; see `datasets`.")]
Root = Annotated[Path | None, typer.Option(help="The folder the data set lies in.")]
Scheduler = Annotated[str | None, typer.Option(help="A Dask scheduler, tcp://host:port.")]
Families = Annotated[str, typer.Option(help="hrv,sequence,morphology: these alone.")]
CalibrationS = Annotated[float, typer.Option(help="Of calibration: seconds of rest.", min=0)]
Probabilities = Annotated[
    str, typer.Option(help="temperature or platt (calibrated on unseen people), or own.")
]
ExtraFeatures = Annotated[
    str, typer.Option(help="Other numeric columns to use as features: age,height.")
]
KeepIn = Annotated[
    Path | None, typer.Option("--cache", help="Keep results here for later runs, too.")
]

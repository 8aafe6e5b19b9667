"""Options that several verbs share: their types and help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotion_rppg.extraction import EVERYBODY

OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object on the last line.")
]
Device = Annotated[
    str,
    typer.Option(
        help="Device for networks: auto (a GPU if there is one), cpu, cuda, mps or, to read a "
        "video, openvino."
    ),
]
TrainDevice = Annotated[
    str, typer.Option(help="Device for networks: auto (a GPU if there is one), cpu, cuda or mps.")
]
Workers = Annotated[int, typer.Option(min=1, help="Number of parallel processes.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="tcp://HOST:PORT",
        help="Dask scheduler that runs the jobs on a cluster, in place of --workers "
        "(extra cluster).",
    ),
]
Edits = Annotated[
    bool,
    typer.Option(
        "--edits/--no-edits",
        help="Use the beats that `emotion-rppg beats` corrected, where RECORDING.beats.json is "
        "beside the recording, or the detected beats.",
    ),
]
Camera = Annotated[
    str, typer.Option(metavar="N|FILE", help="Number of the camera, or a video file to replay.")
]
Paced = Annotated[
    bool,
    typer.Option(help="Replay a file at the speed of its recording, or as fast as it can."),
]
LslMarkers = Annotated[
    str | None,
    typer.Option(
        "--lsl-markers",
        metavar="NAME",
        help="Save the markers of this stream of the lab streaming layer as events (extra lsl).",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
Region = Annotated[
    str,
    typer.Option(
        metavar="face|full|x,y,w,h",
        help="Image region to read: the tracked face, the full frame, or a rectangle in pixels.",
    ),
]


def _face(text: str) -> int | str:
    """Parse --face: a number from 1, or all."""
    if text.lower() == EVERYBODY:
        return EVERYBODY
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"{text!r}: want the number of a face, 1 the largest, or all")
    return int(text)


Face = Annotated[
    str | None,
    typer.Option(
        metavar="N|all",
        parser=_face,
        help="Which of several faces to follow, or all: every person by itself. Default: 1, the "
        "largest.",
    ),
]
Weights = Annotated[
    Path | None, typer.Option(help="Model folder with the weights of the network in --method.")
]
Method = Annotated[
    str,
    typer.Option(
        help="rPPG method for videos, such as physnet, green, ica, chrom, pos, lgi, pbv or omit; "
        "or the model folder of a network."
    ),
]
Channel = Annotated[
    str | None,
    typer.Option(
        help="Column or channel to read from signal files that have several; `emotion-rppg "
        "inspect FILE` lists them."
    ),
]
Source = Annotated[
    str,
    typer.Option(
        help="Signal to read: rppg (from the video), bvp, ecg, rr (intervals between beats that "
        "a device measured: a belt's list, IBI.csv, beat annotations), or auto (what a recording "
        "has, a wave before intervals)."
    ),
]
Length = Annotated[float, typer.Option(help="Window length in seconds.")]
Step = Annotated[
    float, typer.Option(help="Time from the start of one window to the next, in seconds.")
]
MinQuality = Annotated[
    float | None,
    typer.Option(
        "--min-quality",
        help="Withhold windows whose quality (0–1) is lower. Default: 0.6 for video, 0.3 for "
        "PPG, 0.5 for ECG and for intervals.",
    ),
]
Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Data set to read, with --root; `emotion-rppg datasets` lists them."
    ),
]
Root = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the data set.")]
Coding = Annotated[
    str,
    typer.Option(
        help="How ratings become classes: midpoint (of the scale), fixed(x) (high above x; a shell "
        "needs the whole in quotes), subject_median, tertiles or as_is (numbers: regression)."
    ),
]
Families = Annotated[
    str,
    typer.Option(
        metavar="NAME,…",
        help="Use only the columns of these feature families, such as hrv, sequence or "
        "eda. Default: all in the table.",
    ),
]
CalibrationS = Annotated[
    float,
    typer.Option(
        help="With --normalise calibration: length of each person's reference period, in seconds.",
        min=0,
    ),
]
Probabilities = Annotated[
    str,
    typer.Option(
        help="Calibration of class probabilities on held-out training people: temperature "
        "(temperature scaling), platt (a sigmoid) or own (none)."
    ),
]
ExtraFeatures = Annotated[
    str,
    typer.Option(
        metavar="COLUMN,…",
        help="Numeric columns outside the feature families to use as features, such as age,height.",
    ),
]
Join = Annotated[
    list[str],
    typer.Option(
        metavar="[NAME=]FILE|DIR",
        help="CSV file of another program with a row for each video frame (OpenFace, py-feat, "
        "LibreFace …), or a folder of them, to join by recording and time: means and standard "
        "deviations over each window are a source of features called NAME (repeatable).",
    ),
]
JoinRate = Annotated[
    float | None,
    typer.Option(
        "--join-rate",
        help="Frames per second of the video, for --join files with frame numbers and no times.",
    ),
]
CacheFolder = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        help="Folder that stores intermediate results for later runs. Default: that of "
        "EMOTION_RPPG_CACHE, if set.",
    ),
]

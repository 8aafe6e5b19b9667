"""`figure`: figures for papers, from tables and signal files, at the widths of journals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotion_rppg.cli.console import print_result, user_errors
from emotion_rppg.cli.options import Json
from emotion_rppg.cli.verbs import app


@app.command("figure")
def figure(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="conditions (of a feature table), tachogram (of a wave.csv or another signal "
            "file), circumplex (of a prediction.csv) or event-curves (of a table of curves).",
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to draw, by the kind.")],
    out: Annotated[
        Path, typer.Option("--out", help="Figure to write: .svg, .pdf or .png (300 dpi).")
    ],
    width: Annotated[
        str,
        typer.Option(
            metavar="single|double|MM",
            help="Width: single (a column of 85 mm), double (180 mm) or millimetres.",
        ),
    ] = "single",
    target: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="With conditions: the label whose values are the conditions, or trial or "
            "session. Default: the only label.",
        ),
    ] = None,
    coding: Annotated[
        str | None,
        typer.Option(
            help="How ratings become the classes of conditions, such as midpoint, fixed(x), "
            "subject_median, tertiles or as_is. Default: midpoint for numbers, as_is for text."
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="With conditions: their order from left to right; others are not drawn.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="With tachogram: signal to read, such as bvp, ecg or rr."),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(help="With tachogram: column or channel to read of a file with several."),
    ] = None,
    start_s: Annotated[
        float | None,
        typer.Option("--start", help="With tachogram: where it begins, in s of the recording."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="With tachogram: length of the part drawn, in s.")
    ] = None,
    recording: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET/SUBJECT/SESSION/TRIAL",
            help="With circumplex: which recording of a table with several.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw a figure for a paper: small fonts, editable text; its caption counts withheld values.

    Example: emotion-rppg figure conditions table.csv --target stress --out stress.pdf
    """
    with user_errors():
        from emotion_rppg.report.figures import write_figure
        from emotion_rppg.runtime.provenance import write_run

        options = {
            "target": target,
            "coding": coding,
            "order": order,
            "source": source,
            "channel": channel,
            "start_s": start_s,
            "seconds": seconds,
            "recording": recording,
        }
        caption = write_figure(kind, file, out, width=width, **options)
        write_run(out, "figure", {"kind": kind, "file": file, "width": width, **options}, [file])
        result = {"out": str(out), "kind": kind, "caption": caption}
        print_result(f"{caption}\n{out}", as_json, result)

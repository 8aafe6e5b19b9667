"""`pulse`, `features`, `predict`: recordings in, waves, tables and predictions out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from emotion_rppg.cli.console import (
    hushed,
    names_in,
    number,
    plainly,
    progress_bar,
    recordings_of,
    say,
)
from emotion_rppg.cli.options import (
    Dataset,
    Device,
    Face,
    Json,
    KeepIn,
    Length,
    Method,
    Out,
    Region,
    Root,
    Scheduler,
    Step,
    Weights,
    Workers,
)
from emotion_rppg.cli.verbs import app


@app.command()
def pulse(
    video: Path,
    method: Method = "physnet",
    out: Annotated[Path | None, typer.Option("--out", help="wave.csv")] = None,
    region: Region = "face",
    face: Face = None,
    weights: Weights = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Read the pulse wave from a face video.

    Example: emotion-rppg pulse me.mp4 --method pos --out wave.csv
    """
    with plainly():
        from emotion_rppg.features.verdicts import judged
        from emotion_rppg.provenance import write_run
        from emotion_rppg.pulse.inference import estimate
        from emotion_rppg.recordings import Video
        from emotion_rppg.tables import check_out, write_wave

        if out is not None:
            check_out(out)
        with progress_bar("reading") as progress:
            wave = estimate(
                Video(video),
                method,
                device=device,
                region=region,
                face=face,
                weights=weights,
                progress=progress,
            )
        verdict = judged(wave)
        result = {
            "hr_bpm": None if verdict.hr_bpm is None else round(verdict.hr_bpm, 2),
            "hr_by": None if verdict.hr_bpm is None else verdict.by,
            "quality": number(verdict.quality, 3),
            "face_coverage": number(wave.coverage, 3),
            "rate_hz": number(wave.rate_hz, 4),
            "duration_s": number(wave.duration_s, 3),
            "method": method,
        }
        if verdict.reason:
            result["reason"] = verdict.reason
        if out is not None:
            write_wave(wave, out)
            arguments = {"method": method, "region": region, "face": face, "weights": weights}
            write_run(out, "pulse", {"video": video, **arguments, "device": device}, [video])
        rate = f"{verdict.hr_bpm:.1f} bpm" if verdict.hr_bpm is not None else "heart rate withheld"
        text = f"{rate} · quality {verdict.quality:.2f} · face seen {wave.coverage:.0%} · {wave}"
        text += f"\n{verdict.reason}" if verdict.reason else ""
        say(text + (f"\n{out}" if out else ""), as_json, result)


@app.command()
def features(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Videos, CSVs, E4, EDF, BIDS, folders.")
    ] = None,
    out: Out = Path("table.csv"),
    dataset: Dataset = None,
    root: Root = None,
    method: Method = "pos",
    weights: Weights = None,
    source: Annotated[str, typer.Option(help="auto, rppg (video), bvp or ecg.")] = "auto",
    length: Length = 60.0,
    step: Step = 30.0,
    whole: Annotated[bool, typer.Option("--whole", help="One row a recording.")] = False,
    families: Annotated[
        str, typer.Option(help="Names with commas: hrv, sequence, morphology.")
    ] = "hrv,sequence",
    baseline: Annotated[
        str, typer.Option(help="Trial (its name) or first seconds (a number) to compare with.")
    ] = "",
    encoder: Annotated[Path | None, typer.Option(help="Encoder folder: adds emb_000…")] = None,
    bids: Annotated[
        Path | None, typer.Option(help="Write the waves here, too, as BIDS _physio.tsv.gz.")
    ] = None,
    region: Region = "face",
    face: Face = None,
    workers: Workers = 1,
    partitioned: Annotated[
        bool, typer.Option("--partitioned", help="A folder of Parquet: a file a person.")
    ] = False,
    scheduler: Scheduler = None,
    cache: KeepIn = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Extract the feature table of a study: one row a window.

    After an interruption the same command goes on with the recordings that are left.

    Example: emotion-rppg features my_study/ --out table.csv --method pos
    """
    with plainly():
        from emotion_rppg.cache import Cache, beside, chosen
        from emotion_rppg.checkpoints import check_folder
        from emotion_rppg.datasets.bids import write_bids
        from emotion_rppg.provenance import write_run
        from emotion_rppg.report.dictionary import write_dictionary
        from emotion_rppg.study import extract, waves
        from emotion_rppg.tables import check_out, write_partitioned, write_table

        check_out(out, partitioned=partitioned)
        if bids is not None:
            check_folder(bids)
        options: dict[str, Any] = {
            "method": method,
            "weights": weights,
            "source": source,
            "length_s": None if whole else length,
            "step_s": step,
            "families": names_in(families),
            "baseline": _baseline(baseline),
            "region": region,
            "face": face,
            "encoder": encoder,
        }
        recordings = recordings_of(paths or [], dataset, root)
        # what fails is listed at the end, not in the middle of the bar
        with hushed("emotion_rppg.study"), beside(out) as kept, progress_bar("extracting") as bar:
            store = kept if (keep := chosen(cache)) is None else Cache(keep)
            table = extract(
                recordings,
                **options,
                workers=workers,
                scheduler=scheduler,
                cache=store,
                device=device,
                progress=bar,
            )
            if bids is not None:
                how = {k: options[k] for k in ("method", "weights", "source", "region", "face")}
                write_bids(bids, waves(recordings, **how, device=device, cache=store))
            (write_partitioned if partitioned else write_table)(table, out)
            write_dictionary(table, out.with_suffix(".columns.md"))
            given = list(paths or [])
            arguments = {"paths": given, "dataset": dataset, "root": root, **options}
            inputs = [*given, *([root] if root else [])]
            write_run(out, "features", arguments, inputs, beside=True)
        failures = table.attrs["failures"]
        for failure in failures:
            typer.echo(f"not read: {failure['recording']}: {failure['reason']}", err=True)
        text = f"{len(table)} windows of {len(recordings) - len(failures)} recordings → {out}"
        result = {"rows": len(table), "recordings": len(recordings), "failures": failures}
        say(text, as_json, {**result, "out": str(out)})


def _baseline(text: str) -> str | float | None:
    """Seconds where the text is a number, else a trial's name; None where there is none."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


@app.command()
def predict(
    given: Annotated[Path, typer.Argument(metavar="VIDEO|CSV", help="A face video or a signal.")],
    model: Annotated[Path, typer.Option(help="Model folder from `train emotion`, or stress.")],
    out: Out = Path("prediction"),
    calibrate: Annotated[Path | None, typer.Option(help="The same person at rest.")] = None,
    region: Region = "face",
    face: Face = None,
    weights: Weights = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Predict arousal and valence over a video or a pulse recording.

    Example: emotion-rppg predict me.mp4 --model model --out prediction
    """
    with plainly():
        from emotion_rppg.report.prediction import write_prediction
        from emotion_rppg.study import load, read_like

        trained = load(model)
        how: dict[str, Any] = {"region": region, "face": face, "weights": weights, "device": device}
        rest = None
        if calibrate is not None:
            with progress_bar("reading the rest") as progress:
                rest, _ = read_like(trained, calibrate, **how, progress=progress)
        with progress_bar("reading") as progress:
            table, wave = read_like(trained, given, **how, progress=progress)
        rows = trained.predict(table, rest=rest)
        arguments = {"given": given, "model": model, "calibrate": calibrate, "region": region}
        inputs = [path for path in (given, calibrate, model) if path is not None and path.exists()]
        said = write_prediction(
            rows, wave, trained, out, arguments=arguments | {"face": face}, inputs=inputs
        )
        say(f"{said['text']}\n{out / 'report.html'}", as_json, said["json"])

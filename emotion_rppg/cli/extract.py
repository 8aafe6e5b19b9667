"""`pulse`, `features`, `predict`: recordings in, waves, tables and predictions out."""

from __future__ import annotations

from functools import partial
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
    Channel,
    Dataset,
    Device,
    Face,
    Json,
    KeepIn,
    Length,
    Method,
    MinQuality,
    Out,
    Region,
    Root,
    Scheduler,
    Step,
    Weights,
    Workers,
)
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError


@app.command()
def pulse(
    video: Annotated[Path, typer.Argument(help="A face video, or a signal file.")],
    method: Method = "physnet",
    out: Annotated[Path | None, typer.Option("--out", help="wave.csv")] = None,
    region: Region = "face",
    face: Face = None,
    weights: Weights = None,
    channel: Channel = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Read the pulse wave from a face video, or that of a signal file.

    Example: emotion-rppg pulse me.mp4 --method pos --out wave.csv
    """
    with plainly():
        from emotion_rppg.cli.checks import all_hold, of_reading
        from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
        from emotion_rppg.runtime.provenance import write_run
        from emotion_rppg.runtime.tables import check_out, write_wave
        from emotion_rppg.study import Reading, as_recordings

        options: dict[str, Any] = {"method": method, "region": region, "weights": weights}
        wants_out = [] if out is None else [partial(check_out, out)]
        all_hold(*of_reading(**options, device=device, paths=[video]), *wants_out)
        recording = _one_of(as_recordings(video, channel=channel), video)
        with progress_bar("reading") as progress:
            how = Reading(**options, face=face, device=device)
            wave = how.wave(recording, progress)
        camera = recording.video is not None
        verdict = estimate_heart_rate(wave)
        result = {
            "hr_bpm": None if verdict.hr_bpm is None else round(verdict.hr_bpm, 2),
            "hr_by": None if verdict.hr_bpm is None else verdict.by,
            "quality": number(verdict.quality, 3),
            "face_coverage": number(wave.coverage, 3) if camera else None,
            "rate_hz": number(wave.rate_hz, 4),
            "duration_s": number(wave.duration_s, 3),
            "method": how.method if camera else None,
        }
        if verdict.reason:
            result["reason"] = verdict.reason
        if out is not None:
            write_wave(wave, out)
            arguments = {**options, "face": face, "channel": channel}
            write_run(out, "pulse", {"video": video, **arguments, "device": device}, [video])
        rate = f"{verdict.hr_bpm:.1f} bpm" if verdict.hr_bpm is not None else "heart rate withheld"
        seen = "face seen" if camera else "coverage"
        text = f"{rate} · quality {verdict.quality:.2f} · {seen} {wave.coverage:.0%} · {wave}"
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
    channel: Channel = None,
    length: Length = 60.0,
    step: Step = 30.0,
    whole: Annotated[bool, typer.Option("--whole", help="One row a recording.")] = False,
    families: Annotated[
        str, typer.Option(help="Names with commas: hrv, sequence, morphology.")
    ] = "hrv,sequence",
    min_quality: MinQuality = None,
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
        from emotion_rppg.cli.checks import all_hold, of_reading, of_windows
        from emotion_rppg.features.trust import check_min_quality, summary
        from emotion_rppg.formats.bids import write_bids
        from emotion_rppg.report.data_dictionary import write_dictionary
        from emotion_rppg.runtime.atomic_files import check_folder
        from emotion_rppg.runtime.cache import Cache, cache_beside, chosen_folder
        from emotion_rppg.runtime.provenance import write_run
        from emotion_rppg.runtime.tables import check_out, write_partitioned, write_table
        from emotion_rppg.study import extract, waves

        names = [name.lower() for name in names_in(families)]
        all_hold(
            *of_reading(
                method=method, region=region, weights=weights, device=device, paths=paths or []
            ),
            *of_windows(length=length, step=step, source=source, families=names, encoder=encoder),
            partial(check_min_quality, min_quality),
            partial(check_out, out, partitioned=partitioned),
            *([] if bids is None else [partial(check_folder, bids)]),
        )
        options: dict[str, Any] = {
            "method": method,
            "weights": weights,
            "source": source,
            "length_s": None if whole else length,
            "step_s": step,
            "families": names,
            "min_quality": min_quality,
            "baseline": _baseline(baseline),
            "region": region,
            "face": face,
            "encoder": encoder,
        }
        recordings = recordings_of(paths or [], dataset, root, channel=channel, kind=source.lower())
        # what fails is listed at the end, not in the middle of the bar
        with (
            hushed("emotion_rppg.study"),
            cache_beside(out) as kept,
            progress_bar("extracting") as bar,
        ):
            store = kept if (keep := chosen_folder(cache)) is None else Cache(keep)
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
            arguments |= {"channel": channel}
            inputs = [*given, *([root] if root else [])]
            write_run(out, "features", arguments, inputs, beside=True)
        failures = table.attrs["failures"]
        for failure in failures:
            typer.echo(f"not read: {failure['recording']}: {failure['reason']}", err=True)
        text = f"{len(table)} windows of {len(recordings) - len(failures)} recordings → {out}"
        withheld = summary(table)
        text = "\n".join([text, *withheld])
        result = {"rows": len(table), "recordings": len(recordings), "failures": failures}
        result["withheld"] = withheld
        say(text, as_json, {**result, "out": str(out)})


def _baseline(text: str) -> str | float | None:
    """Seconds where the text is a number, else a trial's name; None where there is none."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


@app.command()
def predict(
    given: Annotated[
        list[Path],
        typer.Argument(metavar="PATH…|TABLE", help="Videos, signals, folders, or a feature table."),
    ],
    model: Annotated[Path, typer.Option(help="Model folder from `train emotion`, or stress.")],
    out: Out = Path("prediction"),
    calibrate: Annotated[Path | None, typer.Option(help="The same person at rest.")] = None,
    region: Annotated[
        str | None, typer.Option(help="Only for a model that does not store it: face, full …")
    ] = None,
    face: Face = None,
    weights: Weights = None,
    channel: Channel = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Predict arousal and valence over videos or pulse recordings, or for the rows of a table.

    Of a folder every recording that is found; where there are several, one table of all.

    Example: emotion-rppg predict me.mp4 --model model --out prediction
    """
    with plainly():
        from emotion_rppg.cli.checks import all_hold, of_reading
        from emotion_rppg.report.prediction import write_prediction
        from emotion_rppg.runtime.atomic_files import check_folder
        from emotion_rppg.runtime.tables import is_feature_table
        from emotion_rppg.study import channel_like, load, read_all_like, read_like, recordings_like

        how: dict[str, Any] = {"region": region, "weights": weights, "device": device}
        at_rest = [] if calibrate is None else [calibrate]
        all_hold(
            *of_reading(
                region=region or "face", weights=weights, device=device, paths=[*given, *at_rest]
            ),
            partial(load, model),
            partial(check_folder, out),
        )
        trained = load(model)
        how["face"] = face
        arguments = {"given": given, "model": model, "calibrate": calibrate, "region": region}
        arguments |= {"face": face, "channel": channel}
        inputs = [path for path in (*given, *at_rest, model) if path.exists()]
        rest = None
        if calibrate is not None:
            with progress_bar("reading the rest") as progress:
                found = recordings_like(trained, calibrate, channel=channel)
                rest, _ = read_all_like(trained, found, **how, progress=progress)
        tables = [path for path in given if is_feature_table(path)]
        channel, kind = channel_like(trained, given, channel)
        found = [] if tables else recordings_of(given, None, None, channel=channel, kind=kind)
        if len(found) != 1:
            with progress_bar("reading") as progress:
                said = _predict_many(
                    trained, given, tables, found, rest, out, how, arguments, inputs, progress
                )
            say(said["text"], as_json, said["json"])
            return
        with progress_bar("reading") as progress:
            table, wave = read_like(trained, found[0], **how, progress=progress)
        rows = trained.predict(table, rest=rest)
        said = write_prediction(rows, wave, trained, out, arguments=arguments, inputs=inputs)
        say(f"{said['text']}\n{out / 'report.html'}", as_json, said["json"])


def _predict_many(
    trained: Any,
    given: list[Path],
    tables: list[Path],
    found: list[Any],
    rest: Any,
    out: Path,
    how: dict[str, Any],
    arguments: dict[str, Any],
    inputs: list[Path],
    progress: Any,
) -> dict[str, Any]:
    """Predictions for the rows of feature tables, or for several recordings, in one folder."""
    from emotion_rppg.report.prediction import write_predictions
    from emotion_rppg.runtime.tables import read_tables
    from emotion_rppg.study import read_all_like

    failures: list[dict[str, str]] = []
    if tables:
        if len(tables) != len(given):
            others = ", ".join(str(path) for path in given if path not in tables)
            raise InputError(
                f"{tables[0]} is a feature table, {others} is none: give tables alone, or "
                "recordings alone"
            )
        table = read_tables(tables)
    else:
        table, failures = read_all_like(trained, found, **how, progress=progress)
    for failure in failures:
        typer.echo(f"not read: {failure['recording']}: {failure['reason']}", err=True)
    return write_predictions(
        trained.predict(table, rest=rest),
        trained,
        out,
        sources=sorted(set(table["source"].astype(str))) if "source" in table else [],
        failures=failures,
        arguments=arguments,
        inputs=inputs,
    )


def _one_of(found: list[Any], given: Path) -> Any:
    if len(found) != 1:
        raise InputError(f"{given} holds {len(found)} recordings: want one; give the file itself")
    return found[0]

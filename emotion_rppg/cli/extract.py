"""`features` and `predict`: from recordings to tables and predictions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from emotion_rppg.cli.console import (
    count,
    find_recordings,
    print_result,
    progress_bar,
    split_names,
    user_errors,
)
from emotion_rppg.cli.joining import check_joins, joined, named_path, read_joins
from emotion_rppg.cli.options import (
    CacheFolder,
    Channel,
    Dataset,
    Device,
    Edits,
    Face,
    Join,
    JoinRate,
    Json,
    Length,
    Method,
    MinQuality,
    OutFolder,
    Region,
    Root,
    Scheduler,
    Source,
    Step,
    Weights,
    Workers,
)
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import DEFAULT_METHOD, EVERYBODY
from emotion_rppg.runtime.quiet import warnings_silenced

WIDE, LONG = "wide", "long"


_OF_WAVE = ("method", "weights", "source", "region", "face")  # options that concern the wave


@app.command()
def features(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH…",
            help="Videos, signal files (CSV, TSV, Excel, EDF, BIDS), lists of RR intervals, "
            "Empatica sessions, or folders of these.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Feature table to write: .csv or .parquet.")
    ] = Path("table.csv"),
    dataset: Dataset = None,
    root: Root = None,
    method: Method = DEFAULT_METHOD,
    weights: Weights = None,
    source: Source = "auto",
    channel: Channel = None,
    length: Length = 60.0,
    step: Step = 30.0,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="One row a recording, in place of --length and --step."),
    ] = False,
    events: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|all",
            help="One row an event of this kind (repeat the option for several kinds, or all), in "
            "place of --length and --step: from events.tsv, NAME_events.csv beside the file NAME, "
            "a wristband's tags or XDF markers.",
        ),
    ] = None,
    before: Annotated[
        float, typer.Option(help="Seconds before an event's onset at which its window begins.")
    ] = 10.0,
    after: Annotated[
        float, typer.Option(help="Seconds after an event's onset at which its window ends.")
    ] = 30.0,
    families: Annotated[
        str,
        typer.Option(
            metavar="NAME,…",
            help="Feature families to compute: hrv, sequence, morphology (from the pulse), eda, "
            "eda_sequence (from EDA), resp, resp_sequence (from respiration), temp, temp_sequence "
            "(from skin temperature), acc, acc_sequence (from acceleration).",
        ),
    ] = "hrv,sequence",
    min_quality: MinQuality = None,
    baseline: Annotated[
        str,
        typer.Option(
            metavar="TRIAL|SECONDS",
            help="Add columns …_vs_baseline: differences from the person's trial of this name, "
            "or from the first seconds of each recording.",
        ),
    ] = "",
    join: Join = [],  # noqa: B006
    join_rate: JoinRate = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a beat encoder (`train encoder`): adds its embeddings emb_000 …"
        ),
    ] = None,
    bids: Annotated[
        Path | None,
        typer.Option(help="Folder to write the waves to as well, as BIDS _physio.tsv.gz files."),
    ] = None,
    region: Region = "face",
    face: Face = None,
    edits: Edits = True,
    workers: Workers = 1,
    partitioned: Annotated[
        bool,
        typer.Option(
            "--partitioned", help="Write --out as a folder of Parquet files, one a person."
        ),
    ] = False,
    layout: Annotated[
        str,
        typer.Option(
            metavar="wide|long",
            help="wide: a column a feature; long: a row a window and feature, with unit, quality "
            "and reason, for R and SPSS.",
        ),
    ] = WIDE,
    scheduler: Scheduler = None,
    cache: CacheFolder = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Extract the feature table of a study: one row a window, or one row an event.

    After an interruption, the same command continues with the recordings that are not finished.

    Example: emotion-rppg features my_study/ --out table.csv --method pos
    """
    with user_errors():
        from emotion_rppg.cli.checks import run_checks, signal_checks, window_checks
        from emotion_rppg.features.trust import (
            check_min_quality,
            closing_line,
            reasons_in,
            summary_of_withheld,
        )
        from emotion_rppg.formats.bids import write_bids
        from emotion_rppg.report.data_dictionary import write_dictionary
        from emotion_rppg.runtime.atomic_files import check_folder
        from emotion_rppg.runtime.cache import Cache, cache_beside, chosen_folder
        from emotion_rppg.runtime.provenance import write_run
        from emotion_rppg.runtime.tables import check_out, write_partitioned, write_table
        from emotion_rppg.study import Reading, extract, waves
        from emotion_rppg.study.corrections import summary_of_edits
        from emotion_rppg.study.event_rows import summary_of_events
        from emotion_rppg.study.long_table import long_table

        names = [name.lower() for name in split_names(families)]
        run_checks(
            *signal_checks(
                method=method, region=region, weights=weights, device=device, paths=paths or []
            ),
            *window_checks(
                length=length, step=step, source=source, families=names, encoder=encoder
            ),
            partial(_check_event_options, context, events),
            partial(check_min_quality, min_quality),
            partial(check_out, out, partitioned=partitioned),
            partial(_check_layout, layout, partitioned),
            *([] if bids is None else [partial(check_folder, bids)]),
        )
        joins = read_joins(join, join_rate)
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
            "events": events or None,
            "before_s": before,
            "after_s": after,
            "edits": edits,
        }
        recordings = find_recordings(
            paths or [],
            dataset,
            root,
            channel=channel,
            kind=source.lower(),
            with_events=bool(events),
        )
        check_joins(joins, recordings)
        # failures are listed at the end instead of inside the progress bar
        with (
            warnings_silenced("emotion_rppg.study"),
            cache_beside(out) as unfinished,
            progress_bar("extracting") as bar,
        ):
            folder = chosen_folder(cache)
            store = unfinished if folder is None else Cache(folder)
            table = extract(
                recordings,
                **options,
                workers=workers,
                scheduler=scheduler,
                cache=store,
                device=device,
                progress=bar,
            )
            table = joined(table, joins)
            if bids is not None:
                chosen = {name: options[name] for name in _OF_WAVE}
                write_bids(bids, waves(recordings, **chosen, device=device, cache=store))
            written = long_table(table) if layout == LONG else table
            (write_partitioned if partitioned else write_table)(written, out)
            write_dictionary(table, out.with_suffix(".columns.md"))
            curves, no_curves = _write_curves(table, out) if events else (None, "")
            given = list(paths or [])
            arguments = {"paths": given, "dataset": dataset, "root": root, **options}
            arguments |= {"channel": channel}
            arguments |= {"join": join, "join_rate": join_rate} if join else {}
            inputs = [*given, *([root] if root else []), *(named_path(j)[1] for j in join)]
            write_run(out, "features", arguments, inputs, beside=True)
        failures = table.attrs["failures"]
        for failure in failures:
            typer.echo(f"not read: {failure['recording']}: {failure['reason']}", err=True)
        n_read = len(recordings) - len(failures)
        withheld = [*summary_of_events(table), *summary_of_withheld(table)]
        wave = Reading(**{name: options[name] for name in _OF_WAVE})
        edited = summary_of_edits(table, recordings, wave) if edits else []
        noun = "event" if events else "window"
        rows = count(len(table), noun)
        text = f"{rows} of {count(n_read, 'recording')} → {out}"
        if events:
            withheld.append(no_curves if curves is None else f"heart-rate curves → {curves}")
        closing = closing_line(reasons_in(table), len(table), noun)
        text = "\n".join([text, *edited, *withheld, closing])
        result = {"rows": len(table), "recordings": len(recordings), "failures": failures}
        result |= {"withheld": withheld, "edited": edited}
        if events:
            result["curves"] = None if curves is None else str(curves)
        print_result(text, as_json, {**result, "out": str(out)})


def _check_layout(layout: str, partitioned: bool) -> None:
    if layout not in (WIDE, LONG):
        raise InputError(f"unknown layout {layout!r}; known: {WIDE}, {LONG}")
    if layout == LONG and partitioned:
        raise InputError("--layout long with --partitioned: it is written as one file; omit one")


def _write_curves(table: Any, out: Path) -> tuple[Path | None, str]:
    """Write the event-locked heart-rate curves beside a table; or say why there are none."""
    from emotion_rppg.runtime.tables import write_table
    from emotion_rppg.study.event_curves import curves_beside, event_curves

    path = curves_beside(out)
    try:
        curves = event_curves(table)
    except InputError as error:
        path.unlink(missing_ok=True)  # of an earlier table
        return None, f"no heart-rate curves: {error}"
    curves.attrs = {}
    return write_table(curves, path), ""


def _check_event_options(context: typer.Context, events: list[str] | None) -> None:
    """Refuse options of windows beside --events, and options of events without it."""
    names = ("length", "step", "whole", "baseline", "before", "after")
    sources = {name: context.get_parameter_source(name) for name in names}
    given = {name: s is not None and s.name == "COMMANDLINE" for name, s in sources.items()}
    if events:
        beside = [f"--{name}" for name in ("length", "step", "whole", "baseline") if given[name]]
        if beside:
            raise InputError(
                f"{', '.join(beside)} with --events: the window of an event is from --before to "
                "--after its onset, and each event has its own baseline before it; omit "
                f"{' and '.join(beside)}"
            )
    elif given["before"] or given["after"]:
        raise InputError(
            "--before and --after without --events: name the events (--events NAME, or all)"
        )


def _baseline(text: str) -> str | float | None:
    """Parse --baseline: seconds if it is a number, else a trial's name; None if empty."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


@app.command()
def predict(
    given: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH…|TABLE", help="Videos, signal files, folders, or a feature table."
        ),
    ],
    model: Annotated[
        Path,
        typer.Option(help="Model folder from `train emotion`, or stress, the bundled model."),
    ],
    out: OutFolder = Path("prediction"),
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="REST[@START-END]",
            help="Recording of the same person at rest, or a segment of one in seconds, for a "
            "model that compares people with their own rest.",
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="face|full|x,y,w,h",
            help="Image region, only for an old model that does not store it. Default: that of "
            "the model's training.",
        ),
    ] = None,
    face: Face = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the pulse network that the model's training used, if it has moved."
        ),
    ] = None,
    channel: Channel = None,
    edits: Edits = True,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Predict arousal, valence or other targets for recordings or for the rows of a table.

    Recordings are read as the training table was. One recording gives a folder with
    prediction.csv, the wave and report.html; several, or a folder of them, give one table of all.

    Example: emotion-rppg predict face.mp4 --model model --out prediction
    """
    with user_errors():
        from emotion_rppg.cli.checks import run_checks, signal_checks
        from emotion_rppg.features import needs_pulse
        from emotion_rppg.features.trust import closing_line, reasons_in
        from emotion_rppg.report.prediction import write_people_prediction, write_prediction
        from emotion_rppg.runtime.atomic_files import check_folder
        from emotion_rppg.runtime.tables import is_feature_table
        from emotion_rppg.study import (
            beats_like,
            channel_like,
            load,
            read_people_like,
        )
        from emotion_rppg.study.rest import Rest
        from emotion_rppg.windows import PERSON

        def reads_pulse(model: Any) -> bool:
            return needs_pulse(model.extraction.families if model.extraction else ["hrv"])

        options: dict[str, Any] = {"region": region, "weights": weights, "device": device}
        resting = None if calibrate is None else Rest.parse(calibrate)
        at_rest = [] if resting is None else [resting.path]
        run_checks(
            *signal_checks(
                region=region or "face", weights=weights, device=device, paths=[*given, *at_rest]
            ),
            partial(load, model),
            partial(check_folder, out),
        )
        trained = load(model)
        options |= {"face": face, "edits": None if edits else False}
        arguments = {"given": given, "model": model, "calibrate": calibrate, "region": region}
        arguments |= {"face": face, "channel": channel, "edits": edits}
        inputs = [path for path in (*given, *at_rest, model) if path.exists()]
        rest = None
        if resting is not None:
            read_as = trained.extraction.face if trained.extraction and face is None else face
            if read_as == EVERYBODY:
                raise InputError(
                    "--calibrate compares one person with their own rest, and the people of two "
                    "videos are not matched: give --face N instead of all"
                )
            with progress_bar("reading the rest") as progress:
                rest = resting.table(trained, channel=channel, progress=progress, **options)
        tables = [path for path in given if is_feature_table(path)]
        found = []
        if not tables:
            channel, kind = channel_like(trained, given, channel)
            found = find_recordings(given, None, None, channel=channel, kind=kind)
        if len(found) != 1 or not reads_pulse(trained):
            with progress_bar("reading") as progress:
                result = _predict_many(
                    trained,
                    given,
                    tables,
                    found,
                    (resting, rest),
                    out,
                    options,
                    arguments,
                    inputs,
                    progress,
                )
            print_result(result["text"], as_json, result["json"])
            return
        with progress_bar("reading") as progress:
            table, waves = read_people_like(trained, found[0], **options, progress=progress)
        rows = trained.predict(table, rest=rest)
        if resting is not None:
            rows = resting.withhold_own(rows, rest, given, trained)
        chosen = {name: value for name, value in options.items() if name != "device"}
        beats = beats_like(trained, found[0], waves, **chosen)
        given_to_both: dict[str, Any] = {"arguments": arguments, "inputs": inputs, "beats": beats}
        if PERSON in table:
            result = write_people_prediction(rows, waves, trained, out, **given_to_both)
        else:
            result = write_prediction(rows, waves[0], trained, out, **given_to_both)
        closing = closing_line(reasons_in(rows), len(rows), "window")
        text = f"{result['text']}\n{out / 'prediction.csv'}\n{out / 'report.html'}\n{closing}"
        print_result(text, as_json, result["json"])


def _predict_many(
    trained: Any,
    given: list[Path],
    tables: list[Path],
    recordings: list[Any],
    at_rest: tuple[Any, Any],
    out: Path,
    options: dict[str, Any],
    arguments: dict[str, Any],
    inputs: list[Path],
    progress: Any,
) -> dict[str, Any]:
    """Predict for the rows of feature tables, or for several recordings, into one folder."""
    from emotion_rppg.features.trust import closing_line, reasons_in
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
        table, failures = read_all_like(trained, recordings, **options, progress=progress)
    for failure in failures:
        typer.echo(f"not read: {failure['recording']}: {failure['reason']}", err=True)
    resting, rest = at_rest
    rows = trained.predict(table, rest=rest)
    if resting is not None:
        rows = resting.withhold_own(rows, rest, given, trained)
    written = write_predictions(
        rows,
        trained,
        out,
        sources=sorted(set(table["source"].astype(str))) if "source" in table else [],
        failures=failures,
        arguments=arguments,
        inputs=inputs,
    )
    closing = closing_line(reasons_in(rows), len(rows), "window")
    return {**written, "text": f"{written['text']}\n{closing}"}

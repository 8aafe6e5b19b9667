"""`evaluate`: score heads or pulse methods on people who were not in the training data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion_rppg.cli.console import (
    find_recordings,
    print_result,
    progress_bar,
    split_names,
    user_errors,
)
from emotion_rppg.cli.joining import check_joins, joined, named_path, read_joins
from emotion_rppg.cli.options import (
    CalibrationS,
    Coding,
    Dataset,
    Device,
    ExtraFeatures,
    Families,
    Join,
    JoinRate,
    Json,
    Length,
    Method,
    OutFolder,
    Probabilities,
    Root,
    Scheduler,
    Seed,
    Source,
    Step,
    Workers,
)
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import DEFAULT_METHOD

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation import Evaluation
    from emotion_rppg.recordings import Recording
    from emotion_rppg.study.joining import Outside


@app.command()
def evaluate(
    out: OutFolder = Path("evaluation"),
    stage: Annotated[
        str,
        typer.Option(
            metavar="emotion|pulse",
            help="What to evaluate: heads that predict labels, or pulse --methods on the videos "
            "of --dataset.",
        ),
    ] = "emotion",
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME|DIR,…", help="With --stage pulse: methods and network folders to compare."
        ),
    ] = "pos,physnet",
    table: Annotated[
        list[Path], typer.Option(help="Feature table from `features` (repeatable).")
    ] = [],  # noqa: B006
    dataset: Dataset = None,
    root: Root = None,
    target: Annotated[
        list[str],
        typer.Option(
            metavar="LABEL", help="Label to predict: arousal for column label_arousal (repeatable)."
        ),
    ] = [],  # noqa: B006
    task: Annotated[list[str], typer.Option("--task", hidden=True)] = [],  # noqa: B006
    coding: Coding = "midpoint",
    split: Annotated[
        str,
        typer.Option(
            help="What is held out for testing, such as loso (one person at a time), subject_folds "
            "(five groups of people), datasets, trials_within, sessions_within, first_minutes or "
            "leaky_windows."
        ),
    ] = "loso",
    heads: Annotated[
        str,
        typer.Option(
            metavar="NAME,…",
            help="Classifiers or regressors, such as logistic, forest or lstm; selected (chosen by "
            "inner folds); or all.",
        ),
    ] = "all",
    encoder: Annotated[
        Path | None,
        typer.Option(help="Beat encoder folder (`train encoder`): adds the head lstm_pretrained."),
    ] = None,
    normalise: Annotated[
        str,
        typer.Option(
            help="Normalisation by each person's own data, such as none, calibration (their "
            "first minutes, which are not scored) or transductive (the complete recording)."
        ),
    ] = "none",
    calibration_s: CalibrationS = 240.0,
    probabilities: Probabilities = "temperature",
    families: Families = "",
    extra_features: ExtraFeatures = "",
    sources: Annotated[
        str,
        typer.Option(
            metavar="NAME,…",
            help="Compare these sources, such as bvp,eda,temp,acc: the same heads on each alone, "
            "on all, and on all without one. Each head is fitted about four times for each source: "
            "name few --heads.",
        ),
    ] = "",
    join: Join = [],  # noqa: B006
    join_rate: JoinRate = None,
    method: Method = DEFAULT_METHOD,
    source: Source = "auto",
    length: Length = 60.0,
    step: Step = 30.0,
    ablate: Annotated[
        list[str],
        typer.Option(help="Inputs to leave out: sequence, embedding or quality (repeatable)."),
    ] = [],  # noqa: B006
    permutations: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Number of label permutations for the p value; 0: no p value. Default: chosen per "
            "head, 249 at most.",
        ),
    ] = None,
    allow_unknown_training: Annotated[
        bool,
        typer.Option(
            "--allow-unknown-training",
            help="Accept pulse networks whose training people are unknown; the results say so.",
        ),
    ] = False,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Score heads on people outside the training data, beside dummies, with intervals and p values.

    --table takes feature tables; --dataset extracts one first (--method to --step). After an
    interruption, the same command continues.

    Example: emotion-rppg evaluate --table table.csv --target arousal --heads all --out result
    """
    with user_errors():
        if stage == "pulse":
            run = {"workers": workers, "scheduler": scheduler, "device": device}
            _evaluate_pulse(out, dataset, root, methods, allow_unknown_training, as_json, **run)
            return
        if stage != "emotion":
            raise InputError(f"unknown stage {stage!r}; known: emotion, pulse")
        targets = [*target, *task]  # --task: the earlier name of --target
        if not targets:
            raise InputError("no target given: name the label to predict, --target arousal")
        if not table and dataset is None:
            raise InputError("no input: give --table FILE, or --dataset NAME with --root DIR")
        recordings = (
            [] if dataset is None else find_recordings([], dataset, root, kind=source.lower())
        )
        compared = split_names(sources)
        joins = read_joins(join, join_rate)
        _refuse_unused(joins, compared)
        if recordings and not table:
            check_joins(joins, recordings)
        chosen = split_names(families)
        if dataset is not None and not table and not chosen:
            chosen = _families_of(compared)
        options: dict[str, Any] = {
            "target": targets,
            "heads": heads.split(",") if heads != "all" else "all",
            "split": split,
            "coding": coding,
            "encoder": encoder,
            "normalise": normalise,
            "calibration_s": calibration_s,
            "probabilities": probabilities,
            "extra_features": split_names(extra_features),
            "ablate": ablate,
            "sources": compared,
            "permutations": permutations,
            "allow_unknown_training": allow_unknown_training,
            "seed": seed,
        }
        origin: dict[str, Any] = {
            "dataset": dataset,
            "root": root,
            "method": method,
            "source": source,
        }
        origin |= {"length": length, "step": step}
        arguments = {
            "table": table,
            **(origin if dataset is not None else {}),
            "families": chosen,
            **({"join": join, "join_rate": join_rate} if join else {}),
            **options,
        }
        reading: dict[str, Any] = {"method": method, "source": source, "device": device}
        windows: dict[str, Any] = {"length_s": length, "step_s": step, "workers": workers}
        windows |= {"families": chosen} if chosen else {}
        results, means, closing = _evaluate_heads(
            out,
            table,
            recordings,
            joins=joins,
            families=chosen,
            reading=reading,
            windows=windows,
            options=options,
            run_on={"workers": workers, "scheduler": scheduler},
            arguments=arguments,
            inputs=[*table, *([] if root is None else [root]), *(named_path(j)[1] for j in join)],
        )
        _print_scores(results, means, closing, out, split, as_json)


def _evaluate_heads(
    out: Path,
    tables: Sequence[Path],
    recordings: Sequence[Recording],
    *,
    joins: Sequence[Outside],
    families: Sequence[str],
    reading: Mapping[str, Any],
    windows: Mapping[str, Any],
    options: Mapping[str, Any],
    run_on: Mapping[str, Any],
    arguments: Mapping[str, Any],
    inputs: Sequence[Path],
) -> tuple[Evaluation, pd.DataFrame, str]:
    """Read the tables or extract one, score the heads, write the report.

    Returns
    -------
    results, means, closing
        The scores, their summary, and the line that states what was withheld.
    """
    from emotion_rppg.evaluation import evaluate as run_evaluation
    from emotion_rppg.features.trust import closing_line, reasons_in
    from emotion_rppg.report.evaluation import write_evaluation
    from emotion_rppg.runtime.cache import cache_beside
    from emotion_rppg.study import extract, waves

    with (
        cache_beside(out) as unfinished,  # an interrupted run continues from it
        progress_bar("evaluating") as bar,
    ):
        if tables:  # all that is wrong with them is reported before any fold is fitted
            rows = _read(tables, families)
        else:
            rows = extract(recordings, **reading, **windows, cache=unfinished, progress=bar)
        rows = joined(rows, joins)
        results = run_evaluation(
            rows, **options, **run_on, importance=5, cache=unfinished.folder, progress=bar
        )

        def waves_of(names: Sequence[str]) -> Iterator[Any]:
            people = [r for r in recordings if r.person in names]
            return waves(people, **reading, cache=unfinished)

        means = write_evaluation(
            results,
            rows,
            out,
            arguments=arguments,
            inputs=inputs,
            waves=waves_of if recordings else None,
        )
        return results, means, closing_line(reasons_in(rows), len(rows), "window")


def _refuse_unused(joins: Sequence[Outside], sources: Sequence[str]) -> None:
    """Refuse a joined file that a comparison of sources would not use."""
    unused = [outside.name for outside in joins if sources and outside.name not in sources]
    if unused:
        raise InputError(
            f"--join {', '.join(unused)} is not in --sources {','.join(sources)}: add it there, or "
            "omit --join"
        )


def _families_of(sources: Sequence[str]) -> list[str]:
    """List the families to extract for the sources that are compared; none: the default ones."""
    from emotion_rppg.features import FAMILIES
    from emotion_rppg.features.beats.kinds import KINDS

    others = [name for name in sources if name not in KINDS and name in FAMILIES]
    return ["hrv", "sequence", *others] if others else []


def _read(tables: Sequence[Path], families: Sequence[str]) -> pd.DataFrame:
    """Read and join feature tables, with the columns of some families or of all."""
    from emotion_rppg.emotion.design_matrix import of_families
    from emotion_rppg.runtime.tables import read_tables

    rows = read_tables(tables)
    return of_families(rows, families) if families else rows


def _print_scores(
    results: Evaluation, means: pd.DataFrame, closing: str, out: Path, split: str, as_json: bool
) -> None:
    """Print the summary and where the report is, with a warning if the split leaks."""
    from emotion_rppg.evaluation.splits import SPLITS

    text = f"{_summary_text(means)}\n"
    text += _sources_text(results) if len(results.sources) else ""
    text += f"{out / 'report.html'}"
    text += f"\n{SPLITS[split].description}" if SPLITS[split].leaky else ""
    text += f"\n{closing}"
    result: dict[str, Any] = {"out": str(out), "summary": _records(means)}
    if len(results.sources):
        result |= {"sources": _records(results.summary_of_sources())}
        result |= {"sources_pairs": _records(results.between_sources())}
    print_result(text, as_json, result)


def _records(table: pd.DataFrame) -> Any:
    """Convert a table to a list of JSON objects; NaN becomes null."""
    return json.loads(table.to_json(orient="records"))


def _sources_text(results: Evaluation) -> str:
    """Format the comparison of sources for a console: scores, differences, and both in words."""
    from emotion_rppg.report.sections.sources import comparison_table, findings, scores_table

    tables = (scores_table(results), comparison_table(results))
    parts = [table.to_string(index=False) for table in tables]
    for about, found in findings(results).items():
        parts.append("\n".join([f"{about}:", *(f"  {clause}" for clause in found)]))
    return "\n" + "\n\n".join(parts) + "\n\n"


def _summary_text(means: pd.DataFrame) -> str:
    """Format the summary for a console: a table of heads, then a sentence or two a target."""
    columns = {
        "target": "target",
        "head": "head",
        "people": "people",
        "mean": str(means["metric"].iloc[0]),
        "ci_low": "ci_low",
        "ci_high": "ci_high",
        "p": "p",
        "mean_good": "good quality",
    }
    present = [name for name in columns if name in means and means[name].notna().any()]
    lines = [means[present].rename(columns=columns).round(3).to_string(index=False, na_rep="")]
    for target, rows in means.groupby("target", sort=False):
        first = rows[~rows["dummy"]].iloc[0] if not rows["dummy"].all() else rows.iloc[0]
        lines.append(f"{target}: {_windows(first)}.")
        if first["unit"] == "over people":
            lines.append(
                f"{target}: no person has two different labels; scores are over people, and labels "
                "are permuted between people."
            )
        elif first["one_class"]:
            lines.append(
                f"{target}: {first['one_class']} people have one class only and are not in the "
                "mean (one_class in results.csv)."
            )
    return "\n".join(lines)


def _windows(row: pd.Series) -> str:
    """State the shares of windows without a trusted pulse and of good quality."""
    good = f"; {row['good_quality']:.0%} are of good quality" if row["good_quality"] else ""
    return (
        f"{row['withheld']:.1%} of the windows have no trusted pulse and count as the most "
        f"common class (or the mean){good}"
    )


def _evaluate_pulse(
    out: Path,
    dataset: str | None,
    root: Path | None,
    methods: str,
    allow_unknown_training: bool,
    as_json: bool,
    **run: Any,
) -> None:
    """Compare pulse methods with the contact sensor of a data set."""
    from emotion_rppg.evaluation.pulse_agreement import evaluate_pulse
    from emotion_rppg.report.pulse import closing, ranking_text, wide, write_pulse_evaluation
    from emotion_rppg.runtime.atomic_files import check_folder
    from emotion_rppg.runtime.cache import cache_beside

    if dataset is None or root is None:
        raise InputError("--stage pulse needs a data set with videos: --dataset NAME --root DIR")
    check_folder(out)
    names = split_names(methods)
    options: dict[str, Any] = {"methods": names, "allow_unknown_training": allow_unknown_training}
    arguments = {"stage": "pulse", "dataset": dataset, "root": root, **options}
    with (
        cache_beside(out) as unfinished,  # an interrupted run continues from it
        progress_bar("reading") as bar,
    ):
        results = evaluate_pulse(
            find_recordings([], dataset, root),
            **options,
            **run,
            cache=unfinished.folder,
            progress=bar,
        )
        scores = write_pulse_evaluation(results, out, arguments=arguments, inputs=[root])
    failed = results.failures.to_dict("records")
    ranking = results.ranking()
    text = f"{ranking_text(ranking).to_string(index=False)}\n\n"
    text += f"{wide(scores).to_string(index=False)}\n{out / 'report.html'}"
    text += "".join(f"\n{f['recording']} ({f['method']}): {f['reason']}" for f in failed)
    text += f"\n{closing(results)}"
    summary = json.loads(scores.to_json(orient="records"))
    result = {"out": str(out), "ranking": json.loads(ranking.to_json(orient="records"))}
    print_result(text, as_json, {**result, "summary": summary, "failures": failed})

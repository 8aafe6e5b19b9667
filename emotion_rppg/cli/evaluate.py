"""`evaluate`: both stages on people that were never seen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion_rppg.cli.console import names_in, plainly, progress_bar, recordings_of, say
from emotion_rppg.cli.options import (
    CalibrationS,
    Dataset,
    Device,
    ExtraFeatures,
    Families,
    Json,
    Length,
    Method,
    Out,
    Probabilities,
    Root,
    Step,
    Workers,
)
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@app.command()
def evaluate(
    out: Out = Path("evaluation"),
    stage: Annotated[str, typer.Option(help="emotion, or pulse: --methods on videos.")] = "emotion",
    methods: Annotated[str, typer.Option(help="Of stage pulse: pos,physnet,DIR.")] = "pos,physnet",
    table: Annotated[list[Path], typer.Option(help="A feature table; repeat for more.")] = [],  # noqa: B006
    dataset: Dataset = None,
    root: Root = None,
    target: Annotated[  # --task: its name until now
        list[str], typer.Option("--target", "--task", help="Label to predict; repeat for more.")
    ] = [],  # noqa: B006
    coding: Annotated[str, typer.Option(help="midpoint, fixed(x), subject_median …")] = "midpoint",
    split: Annotated[str, typer.Option(help="loso, subject_folds, datasets …")] = "loso",
    heads: Annotated[str, typer.Option(help="Names with commas, selected, or all.")] = "all",
    encoder: Annotated[Path | None, typer.Option(help="For lstm_pretrained: its encoder.")] = None,
    normalise: Annotated[str, typer.Option(help="none, calibration, transductive.")] = "none",
    calibration_s: CalibrationS = 240.0,
    probabilities: Probabilities = "temperature",
    families: Families = "",
    extra_features: ExtraFeatures = "",
    method: Method = "pos",
    source: Annotated[str, typer.Option(help="auto, rppg (video), bvp or ecg.")] = "auto",
    length: Length = 60.0,
    step: Step = 30.0,
    ablate: Annotated[list[str], typer.Option(help="Leave out sequence, embedding …")] = [],  # noqa: B006
    permutations: Annotated[
        int | None,
        typer.Option(min=0, help="Label permutations for p; 0: none. Default: as p needs."),
    ] = None,
    allow_unknown_training: Annotated[
        bool, typer.Option("--allow-unknown-training", help="Networks that hide their people.")
    ] = False,
    workers: Workers = 1,
    scheduler: Annotated[str | None, typer.Option(help="Dask: tcp://host:8786.")] = None,
    seed: int = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Evaluate heads on people they never saw, beside dummies, with intervals and p values.

    Example: emotion-rppg evaluate --table table.csv --target arousal --heads all --out result
    """
    with plainly():
        if stage == "pulse":
            how = {"workers": workers, "scheduler": scheduler, "device": device}
            _evaluate_pulse(out, dataset, root, methods, allow_unknown_training, as_json, **how)
            return
        if stage != "emotion":
            raise InputError(f"unknown stage {stage!r}; known: emotion, pulse")
        from emotion_rppg.emotion.design_matrix import of_families
        from emotion_rppg.evaluation import evaluate as evaluated
        from emotion_rppg.evaluation.splits import SPLITS
        from emotion_rppg.report.evaluation import write_evaluation
        from emotion_rppg.runtime.cache import cache_beside
        from emotion_rppg.runtime.tables import read_tables
        from emotion_rppg.study import extract, waves

        if not target:
            raise InputError("say what to predict: --target arousal (repeat it for more)")
        if not table and dataset is None:
            raise InputError("give --table FILE, or --dataset NAME with --root DIR")
        recordings = [] if dataset is None else recordings_of([], dataset, root)
        read: dict[str, Any] = {"method": method, "source": source, "device": device}
        windows: dict[str, Any] = {"length_s": length, "step_s": step, "workers": workers}
        chosen = names_in(families)
        windows |= {"families": chosen} if chosen else {}
        options: dict[str, Any] = {
            "target": target,
            "heads": heads.split(",") if heads != "all" else "all",
            "split": split,
            "coding": coding,
            "encoder": encoder,
            "normalise": normalise,
            "calibration_s": calibration_s,
            "probabilities": probabilities,
            "extra_features": names_in(extra_features),
            "ablate": ablate,
            "permutations": permutations,
            "allow_unknown_training": allow_unknown_training,
            "seed": seed,
        }
        told = {"families": chosen, **options}
        arguments: dict[str, Any] = {"table": table, **told}
        if dataset is not None:
            given = {"dataset": dataset, "root": root, "method": method, "source": source}
            arguments = {"table": table, **given, "length": length, "step": step, **told}
        inputs = [*table, *([] if root is None else [root])]
        run: dict[str, Any] = {"workers": workers, "scheduler": scheduler}
        with (
            cache_beside(out) as kept,
            progress_bar("evaluating") as bar,
        ):  # a stopped run goes on there
            if table:  # all that is wrong with it is said before any fold is fitted
                rows = of_families(read_tables(table), chosen) if chosen else read_tables(table)
            else:
                rows = extract(recordings, **read, **windows, cache=kept, progress=bar)
            results = evaluated(
                rows, **options, **run, importance=5, cache=kept.folder, progress=bar
            )

            def waves_of(names: Sequence[str]) -> Iterator[Any]:
                return waves([r for r in recordings if r.person in names], **read, cache=kept)

            means = write_evaluation(
                results,
                rows,
                out,
                arguments=arguments,
                inputs=inputs,
                waves=waves_of if recordings else None,
            )
        text = f"{_shown(means)}\n{out / 'report.html'}"
        text += f"\n{SPLITS[split].description}" if SPLITS[split].leaky else ""
        say(
            text, as_json, {"out": str(out), "summary": json.loads(means.to_json(orient="records"))}
        )


def _shown(means: pd.DataFrame) -> str:
    """The summary for a console: what is the same in every row in words, the rest as a table."""
    columns = {
        "target": "target",
        "head": "head",
        "people": "people",
        "mean": str(means["metric"].iloc[0]),
        "ci_low": "ci_low",
        "ci_high": "ci_high",
        "p": "p",
        "mean_trusted": "trusted",
        "mean_good": "good quality",
    }
    shown = means[[name for name in columns if name in means]].rename(columns=columns).round(3)
    lines = [shown.to_string(index=False, na_rep="")]
    for target, own in means.groupby("target", sort=False):
        first = own[~own["dummy"]].iloc[0] if not own["dummy"].all() else own.iloc[0]
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
    """Shares of windows without a trusted pulse and of good quality."""
    good = f"; {row['good_quality']:.0%} are of good quality" if row["good_quality"] else ""
    return (
        f"{row['withheld']:.1%} of the windows have no trusted pulse and count as the commonest "
        f"class (or mean){good}"
    )


def _evaluate_pulse(
    out: Path,
    dataset: str | None,
    root: Path | None,
    methods: str,
    allow_unknown_training: bool,
    as_json: bool,
    **how: Any,
) -> None:
    """Stage one against a contact sensor."""
    from emotion_rppg.evaluation.pulse_agreement import evaluate_pulse
    from emotion_rppg.report.pulse import wide, write_pulse_evaluation
    from emotion_rppg.runtime.atomic_files import check_folder
    from emotion_rppg.runtime.cache import cache_beside

    if dataset is None or root is None:
        raise InputError("give the data set with videos: --dataset NAME --root DIR")
    check_folder(out)
    names = names_in(methods)
    options: dict[str, Any] = {"methods": names, "allow_unknown_training": allow_unknown_training}
    arguments = {"stage": "pulse", "dataset": dataset, "root": root, **options}
    with cache_beside(out) as kept, progress_bar("reading") as bar:  # a stopped run goes on there
        results = evaluate_pulse(
            recordings_of([], dataset, root), **options, **how, cache=kept.folder, progress=bar
        )
        scores = write_pulse_evaluation(results, out, arguments=arguments, inputs=[root])
    failed = results.failures.to_dict("records")
    text = f"{wide(scores).to_string(index=False)}\n{out / 'report.html'}"
    text += "".join(f"\n{f['recording']} ({f['method']}): {f['reason']}" for f in failed)
    summary = json.loads(scores.to_json(orient="records"))
    say(text, as_json, {"out": str(out), "summary": summary, "failures": failed})

"""evaluate(): fit heads on training people, score them on held-out people, refuse leaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.emotion.design_matrix import Matrix, matrix
from emotion_rppg.emotion.dummies import DRAWS
from emotion_rppg.emotion.table_checks import checked_table, require_sequences
from emotion_rppg.emotion.tasks import Task, class_names
from emotion_rppg.evaluation import fold_cache
from emotion_rppg.evaluation.importance import head_to_explain, score_drops
from emotion_rppg.evaluation.jobs import FoldPrediction, Job
from emotion_rppg.evaluation.leakage import AnySplit, Leak, is_leaky, split_name
from emotion_rppg.evaluation.normalisation import Normalise, normalise_name, normalised
from emotion_rppg.evaluation.permutation import permutation_test
from emotion_rppg.evaluation.plans import Plan, baseline_inputs, make_plans
from emotion_rppg.evaluation.result import (
    EXCLUDED,
    IMPORTANCE,
    NULL,
    SOURCES,
    Evaluation,
    Settings,
    table_of,
)
from emotion_rppg.evaluation.scoring import RANDOM, predictions, random_classes, scores_of_people
from emotion_rppg.evaluation.sources import Run, compare_sources, with_sequence
from emotion_rppg.evaluation.statistics import BASELINES
from emotion_rppg.features.sources import chosen_sources, of_sources
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.parallel import map_unless_cached

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Leak", "evaluate"]
Progress = Callable[[int, int], None]


def evaluate(
    table: pd.DataFrame,
    *,
    target: str | Sequence[str],
    heads: Any = "all",
    split: AnySplit = "loso",
    coding: str = "midpoint",
    normalise: Normalise = "none",
    calibration_s: float = 240.0,
    ablate: Sequence[str] = (),
    encoder: str | Path | None = None,
    probabilities: str = "temperature",
    extra_features: Sequence[str] = (),
    sources: Sequence[str] = (),
    allow_unknown_training: bool = False,
    permutations: int | None = None,
    importance: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    cache: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Score heads on held-out people, beside dummies and baselines.

    Imputation, scaling, the head and its inner selection are fitted on the fold's training people
    alone. A window without a trusted pulse is not trained on and has no prediction, and no score
    counts it (`evaluation.scoring`). Scores on windows of good quality (``…_good``) are given as
    well.

    Dummies ignore the inputs. Baselines are logistic (ridge) regressions on the recording's quality
    alone (``quality_alone``) and, where there are accelerometer columns ``acc_…`` or ``motion_…``,
    on movement alone (``movement_alone``).

    People with one class only are marked (``one_class``) and have no balanced accuracy. A label
    that never varies inside a person is scored over people
    (:func:`~emotion_rppg.evaluation.scoring.group_score`).

    Parameters
    ----------
    table : DataFrame
        A feature table, as from ``extract``.
    target : str or sequence of str
    heads : "all", name, names, estimators or {name: estimator}
        Names of ``HEADS`` (``HEADS_REGRESSION`` for numbers), scikit-learn estimators, or
        ``"selected"``: the head that inner folds of the training people choose. ``"multitask"``
        learns all targets at once.
    split : str or function
        A name of ``SPLITS``, a `Split` or a function ``(table, *, seed) -> (train, test)…``.
    coding : str
        How ratings become classes; see :class:`~emotion_rppg.emotion.tasks.Task`.
    normalise : str or function
        A name of ``NORMALISE``, a `Normalisation` or a function
        (:mod:`emotion_rppg.evaluation.normalisation`).
    calibration_s : float
        For ``"calibration"``: seconds at the beginning of each person's recordings that are the
        reference and are not scored.
    ablate : sequence of str
        ``("sequence",)`` removes the beat tokens, ``("embedding",)`` the embeddings,
        ``("quality",)`` the columns on recording quality that ``extra_features`` names.
    encoder : folder, optional
        An encoder (``train encoder``) that was trained on other people. It adds the head
        ``lstm_pretrained``: ``lstm`` with the encoder's weights as its start.
    probabilities : {"temperature", "own", "platt"}
        ``"temperature"``: calibrated inside each fold on held-out training people, which changes no
        prediction; ``"platt"``: calibrated by a sigmoid, which may change predictions; ``"own"``:
        as the head gives them (:mod:`emotion_rppg.emotion.calibration`).
    extra_features : sequence of str
        Numeric columns outside the feature families (``"age"``) to be used as features.
    sources : sequence of str
        Two or more sources of the table, such as ``("bvp", "eda", "temp")``. The heads then use the
        features of these sources only, and are compared on each source alone, on all, and on all
        without one (:mod:`emotion_rppg.evaluation.sources`): ``.sources`` of the result,
        ``.summary_of_sources()``, ``.between_sources()``. ``extra_features`` are in every model.
        Each head is fitted about four times for each source.
    allow_unknown_training : bool
        Accept rows made by a network whose training people are unknown; the column
        ``unknown_training`` of the results marks them.
    permutations : int, optional
        Number of label permutations for the p value of each head. Default: as many as p needs, at
        most 249, and for heads that are slow to fit a test with four more fits
        (:mod:`emotion_rppg.evaluation.permutation`). 0: no p values. ``.null`` of the result has
        the scores, ``.summary()`` the p values.
    importance : int
        Number of permutations of each group of columns between the tested windows of a person, for
        one head (:mod:`emotion_rppg.evaluation.importance`). ``.importance`` of the result has the
        drop of each person's score. 0: no importance.
    workers : int
        Number of processes; the results do not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers take the place of ``workers``.
    cache : path, optional
        A folder for finished folds, so that a stopped run continues where it stopped.

    Returns
    -------
    Evaluation
        ``.scores`` has one row per target, head and person, ``.predictions`` every scored window,
        ``.excluded`` the number of excluded rows by reason; ``.summary()`` averages over people.

    Raises
    ------
    Leak
        A person in training and test of one fold; a network or encoder that was trained on a tested
        person; scored windows of the calibration; a normalisation that reads labels.
    InputError
        Unknown names, fewer than two people, and all faults of the table together
        (:mod:`emotion_rppg.emotion.table_checks`): no labels, one class only, repeated rows …
    """
    import pandas as pd

    targets = [target] if isinstance(target, str) else list(target)
    table = checked_table(table, targets=targets, coding=coding)
    kinds = chosen_sources(table, sources) if len(sources) else {}
    used = of_sources(table, list(kinds.values())) if kinds else table
    plain = matrix(used, ablate=ablate, extra_features=extra_features)
    inputs, unscored = normalised(plain, table, normalise=normalise, calibration_s=calibration_s)
    sequences = {
        kind: normalised(own, table, normalise=normalise, calibration_s=calibration_s)[0]
        for kind in kinds.values()
        if "sequence" not in ablate
        and not callable(normalise)  # made for the heads' columns
        and (own := with_sequence(plain, table, kind)) is not None
    }
    plans = make_plans(
        table,
        {"": inputs, **_baselines(table, normalise, calibration_s)},
        [Task(name, coding) for name in targets],
        heads=heads,
        encoder=encoder,
        probabilities=probabilities,
        split=split,
        unscored=unscored,
        allow_unknown=allow_unknown_training,
        seed=seed,
    )
    jobs = [job for plan in plans for job in plan.jobs]
    if "sequence" not in ablate:
        require_sequences(table, [job.head for job in jobs])
    folds = None if cache is None else Cache(cache)
    run_jobs = partial(
        _run_jobs, workers=workers, scheduler=scheduler, cache=folds, progress=progress
    )
    results = iter(run_jobs(jobs))
    tables = []
    for plan in plans:
        parts = [predictions(table, job, plan.task, next(results)) for job in plan.jobs]
        tables.append(pd.concat(parts, ignore_index=True))
    predicted = pd.concat(tables, ignore_index=True)
    settings = Settings(
        targets=tuple(dict.fromkeys(targets)),
        heads={job.name: " ".join(repr(job.head).split()) for job in jobs},
        split=split_name(split),
        coding=coding,
        normalise=normalise_name(normalise),
        calibration_s=float(calibration_s),
        probabilities=probabilities,
        ablate=tuple(ablate),
        encoder=None if encoder is None else str(encoder),
        extra_features=tuple(extra_features),
        sources=tuple(kinds),
        allow_unknown_training=bool(allow_unknown_training),
        permutations=None if permutations is None else int(permutations),
        importance=int(importance),
        seed=int(seed),
        over_people=tuple(plan.task.target for plan in plans if plan.over_people),
    )
    run: dict[str, Any] = {"workers": workers, "scheduler": scheduler}
    return Evaluation(
        scores=_scores(plans, tables, table, settings, leaky=is_leaky(split)),
        predictions=predicted,
        null=_null_scores(plans, table, permutations, seed, progress=progress, **run),
        importance=_importance(plans, predicted, importance, **run),
        excluded=_excluded(plans),
        settings=settings,
        sources=_sources(plans, table, inputs, kinds, sequences=sequences, run=run_jobs),
    )


def _sources(
    plans: list[Plan],
    table: pd.DataFrame,
    inputs: Matrix,
    kinds: Mapping[str, str],
    *,
    sequences: Mapping[str, Matrix],
    run: Run,
) -> pd.DataFrame:
    """Tabulate the scores on each set of sources: one row per model and person; empty without."""
    import pandas as pd

    if not kinds:
        return table_of([], SOURCES)
    rows = compare_sources(plans, table, inputs, kinds, sequences=sequences, run=run)
    return pd.DataFrame(rows) if rows else table_of([], SOURCES)


def _scores(
    plans: list[Plan],
    tables: list[pd.DataFrame],
    table: pd.DataFrame,
    settings: Settings,
    *,
    leaky: bool,
) -> pd.DataFrame:
    """Score each person by each head: one row per target, head and person."""
    import pandas as pd

    rows = []
    for plan, predicted in zip(plans, tables, strict=True):
        classes = class_names(table, plan.task)
        shared = {
            "target": plan.task.target,
            "coding": settings.coding,
            "split": settings.split,
            "normalise": settings.normalise,
        }
        for name in dict.fromkeys(job.name for job in plan.jobs):
            own = predicted[predicted["head"] == name]
            draws = _draws(own, plan, name, settings.seed)
            of_people = scores_of_people(own, classes, draws=draws)
            rows += [{**shared, "head": name, **scores} for scores in of_people]
    return pd.DataFrame(rows).assign(
        probabilities=settings.probabilities,
        unknown_training=any(plan.unknown_training for plan in plans),
        leaky=leaky,
    )


def _excluded(plans: list[Plan]) -> pd.DataFrame:
    """Tabulate target, reason and number of excluded rows."""
    rows = [
        {"target": plan.task.target, "reason": reason, "rows": number}
        for plan in plans
        for reason, number in plan.excluded.items()
    ]
    return table_of(rows, EXCLUDED)


def _run_jobs(
    jobs: list[Job],
    *,
    workers: int,
    scheduler: str | None,
    cache: Cache | None,
    progress: Progress | None,
) -> list[FoldPrediction]:
    """Run the jobs or read their cached predictions; results are in the order of the jobs."""
    shared = {id(job.inputs): job for job in jobs} if cache is not None else {}
    digests = {number: fold_cache.digest(job) for number, job in shared.items()}
    names = ["" if cache is None else fold_cache.key(job, digests[id(job.inputs)]) for job in jobs]
    calls = [(job, cache, name) for job, name in zip(jobs, names, strict=True)]
    results: dict[int, FoldPrediction] = {}
    for number, prediction, new in map_unless_cached(
        fold_cache.run_and_cache,
        calls,
        lambda number: None if cache is None else fold_cache.read(cache, names[number]),
        workers=workers,
        scheduler=scheduler,
    ):
        results[number] = prediction
        if progress is not None and new:
            progress(len(results), len(jobs))
    return [results[k] for k in range(len(jobs))]


def _importance(
    plans: list[Plan],
    predicted: pd.DataFrame,
    repeats: int,
    *,
    workers: int,
    scheduler: str | None,
) -> pd.DataFrame:
    """Tabulate target, head, subject, group of columns and the drop of the score without it."""
    rows: list[dict[str, Any]] = []
    for plan in plans if repeats else ():
        target = plan.task.target
        chosen = predicted.loc[predicted["target"] == target, "chosen"].tolist()
        head = head_to_explain(plan.jobs, chosen)
        jobs = [job for job in plan.jobs if job.name == head]
        if jobs:
            drops = score_drops(jobs, repeats=repeats, workers=workers, scheduler=scheduler)
            rows += [{"target": target, "head": head, **row} for row in drops]
    return table_of(rows, IMPORTANCE)


def _null_scores(
    plans: list[Plan],
    table: pd.DataFrame,
    permutations: int | None,
    seed: int,
    *,
    workers: int,
    scheduler: str | None,
    progress: Progress | None,
) -> pd.DataFrame:
    """Tabulate observed score, score on permuted labels, p and test: one row per permutation."""
    import pandas as pd

    parts = [table_of([], NULL)]
    for plan in plans if permutations != 0 else ():
        for name in dict.fromkeys(job.name for job in plan.jobs):
            if name in BASELINES:
                continue
            result = permutation_test(
                [job for job in plan.jobs if job.name == name],
                table,
                permutations=permutations,
                over_people=plan.over_people,
                seed=seed,
                workers=workers,
                scheduler=scheduler,
                progress=progress,
            )
            parts.append(pd.DataFrame({"target": plan.task.target, "head": name, **result}))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _baselines(table: pd.DataFrame, normalise: Normalise, seconds: float) -> dict[str, Matrix]:
    """Build the features of the baselines, normalised as those of the heads."""
    inputs = baseline_inputs(table)
    if callable(normalise):  # a user function expects the feature columns of the heads
        return inputs
    return {
        name: normalised(matrix, table, normalise=normalise, calibration_s=seconds)[0]
        for name, matrix in inputs.items()
    }


def _draws(own: pd.DataFrame, plan: Plan, name: str, seed: int) -> Any:
    """Draw classes at random for the windows of the random dummy; None for any other head."""
    job = next(job for job in plan.jobs if job.name == name)
    if not (job.blind and name == RANDOM):
        return None
    return random_classes(own, job.classes, seed=seed, draws=DRAWS)

"""evaluate(): fit heads on some people, score them on others, refuse what would leak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.emotion.design_matrix import Matrix, matrix
from emotion_rppg.emotion.dummies import DRAWS
from emotion_rppg.emotion.table_checks import checked_table
from emotion_rppg.emotion.tasks import Task, class_names
from emotion_rppg.evaluation import fold_cache
from emotion_rppg.evaluation.importance import explained, losses
from emotion_rppg.evaluation.jobs import FoldPrediction, Job
from emotion_rppg.evaluation.leakage import AnySplit, Leak, is_leaky, split_name
from emotion_rppg.evaluation.normalisation import Normalise, normalise_name, normalised
from emotion_rppg.evaluation.permutation import null_of
from emotion_rppg.evaluation.plans import Plan, baseline_inputs, make_plans
from emotion_rppg.evaluation.result import (
    EXCLUDED,
    IMPORTANCE,
    NULL,
    Evaluation,
    Settings,
    table_of,
)
from emotion_rppg.evaluation.scoring import RANDOM, predictions, random_classes, scores_of_people
from emotion_rppg.evaluation.statistics import BASELINES
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
    allow_unknown_training: bool = False,
    permutations: int | None = None,
    importance: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    cache: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Score heads, and dummies and baselines beside them, on people they never saw.

    Everything that learns (imputation, scaling, the head, its inner choices) learns from the
    fold's training people alone. A window without a trusted pulse is not trained on; in the test
    it counts with the training people's commonest class (mean, for numbers). Scores on the
    trusted windows alone (``…_trusted``) and on those of good quality (``…_good``) stand beside.

    Beside the heads stand dummies that never look at the inputs, and logistic (ridge) regressions
    on the recording's quality alone (``quality_alone``) and, where there are accelerometer columns
    ``acc_…`` or ``motion_…``, on movement alone (``movement_alone``).

    People with one class only are marked (``one_class``) and have no balanced accuracy. A label
    that never varies inside a person is scored over people
    (:func:`~emotion_rppg.evaluation.scoring.group_score`).

    Parameters
    ----------
    table : DataFrame
        As ``extract`` makes it.
    target : str or sequence of str
    heads : "all", name, names, estimators or {name: estimator}
        Of ``HEADS`` (``HEADS_REGRESSION`` for numbers), one's own scikit-learn estimators, or
        ``"selected"``: the head that inner folds of the training people choose. ``"multitask"``
        learns all of the targets at once.
    split : str or function
        A name of ``SPLITS``, a `Split` or a function ``(table, *, seed) -> (train, test)…``.
    coding : str
        How ratings become classes; see :class:`~emotion_rppg.emotion.tasks.Task`.
    normalise : str or function
        A name of ``NORMALISE``, a `Normalisation` or a function
        (:mod:`emotion_rppg.evaluation.normalisation`).
    calibration_s : float
        Of ``"calibration"``: how much of each person's beginning is the reference, and unscored.
    ablate : sequence of str
        ``("sequence",)`` leaves out the beat tokens, ``("embedding",)`` the embeddings,
        ``("quality",)`` whatever ``extra_features`` names of the recording's quality.
    encoder : folder, optional
        An encoder (``train encoder``) that learned from other people: adds ``lstm_pretrained``, the
        head ``lstm`` whose training begins with it.
    probabilities : {"temperature", "own", "platt"}
        ``"temperature"``: calibrated inside each fold on training people whom the head had not
        seen, which changes no prediction; ``"platt"``: by a sigmoid, which may
        (:mod:`emotion_rppg.emotion.calibration`).
    extra_features : sequence of str
        Numeric columns outside the feature families (``"age"``) that are features all the same.
    allow_unknown_training : bool
        Accept rows made by a network that does not say whom it was trained on; the column
        ``unknown_training`` of the results says so.
    permutations : int, optional
        How often each head is fitted afresh on permuted labels, for its p value. Default: as
        often as its p needs, 249 at most, and for heads that are slow to fit a test that needs
        four more fits (:mod:`emotion_rppg.evaluation.permutation`). 0: no p values.
        ``.null`` of the result has the scores and ``.summary()`` the p value.
    importance : int
        How often each group of columns is exchanged between the tested windows of a person, for
        one head (:mod:`emotion_rppg.evaluation.importance`); ``.importance`` of the result has
        what each person's score loses.
    workers : int
        Processes; the numbers do not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers take the place of ``workers``.
    cache : path, optional
        A folder for the finished folds, so that a run that was stopped goes on there.

    Returns
    -------
    Evaluation
        ``.scores`` has one row per target, head and person, ``.predictions`` every scored window,
        ``.excluded`` the number of rows left out, by reason; ``.summary()`` averages over people.

    Raises
    ------
    Leak
        A person on both sides; a tested person among those a network or encoder was trained on;
        windows of the calibration among the scored; a normalisation that reads labels.
    InputError
        Unknown names, fewer than two people, and all faults of the table together
        (:mod:`emotion_rppg.emotion.table_checks`): no labels, one class only, repeated rows …
    """
    import pandas as pd

    targets = [target] if isinstance(target, str) else list(target)
    table = checked_table(table, targets=targets, coding=coding)
    plain = matrix(table, ablate=ablate, extra_features=extra_features)
    inputs, unscored = normalised(plain, table, how=normalise, calibration_s=calibration_s)
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
    folds = None if cache is None else Cache(cache)
    outcomes = iter(_outcomes(jobs, workers, scheduler, folds, progress))
    tables = []
    for plan in plans:
        parts = [predictions(table, job, plan.task, next(outcomes)) for job in plan.jobs]
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
        null=_null(plans, table, permutations, seed, progress=progress, **run),
        importance=_losses(plans, predicted, importance, **run),
        excluded=_excluded(plans),
        settings=settings,
    )


def _scores(
    plans: list[Plan],
    tables: list[pd.DataFrame],
    table: pd.DataFrame,
    settings: Settings,
    *,
    leaky: bool,
) -> pd.DataFrame:
    """Scores of each person by each head: one row per target, head and person."""
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
            each = scores_of_people(own, classes, draws=_draws(own, plan, name, settings.seed))
            rows += [{**shared, "head": name, **scores} for scores in each]
    return pd.DataFrame(rows).assign(
        probabilities=settings.probabilities,
        unknown_training=any(plan.unknown_training for plan in plans),
        leaky=leaky,
    )


def _excluded(plans: list[Plan]) -> pd.DataFrame:
    """Target, reason, and number of rows that were left out for it."""
    rows = [
        {"target": plan.task.target, "reason": reason, "rows": number}
        for plan in plans
        for reason, number in plan.excluded.items()
    ]
    return table_of(rows, EXCLUDED)


def _outcomes(
    jobs: list[Job],
    workers: int,
    scheduler: str | None,
    cache: Cache | None,
    progress: Progress | None,
) -> list[FoldPrediction]:
    """Predictions of each job, in the order of the jobs; cached ones are read."""
    shared = {id(job.inputs): job for job in jobs} if cache is not None else {}
    digests = {number: fold_cache.digest(job) for number, job in shared.items()}
    names = ["" if cache is None else fold_cache.key(job, digests[id(job.inputs)]) for job in jobs]
    calls = [(job, cache, name) for job, name in zip(jobs, names, strict=True)]
    found: dict[int, FoldPrediction] = {}
    for number, said, new in map_unless_cached(
        fold_cache.run_and_keep,
        calls,
        lambda number: None if cache is None else fold_cache.read(cache, names[number]),
        workers=workers,
        scheduler=scheduler,
    ):
        found[number] = said
        if progress is not None and new:
            progress(len(found), len(jobs))
    return [found[k] for k in range(len(jobs))]


def _losses(
    plans: list[Plan],
    predicted: pd.DataFrame,
    repeats: int,
    *,
    workers: int,
    scheduler: str | None,
) -> pd.DataFrame:
    """Target, head, subject, group of columns, and what the score loses without it."""
    rows: list[dict[str, Any]] = []
    for plan in plans if repeats else ():
        target = plan.task.target
        head = explained(plan.jobs, predicted.loc[predicted["target"] == target, "chosen"].tolist())
        jobs = [job for job in plan.jobs if job.name == head]
        found = losses(jobs, repeats=repeats, workers=workers, scheduler=scheduler) if jobs else []
        rows += [{"target": target, "head": head, **row} for row in found]
    return table_of(rows, IMPORTANCE)


def _null(
    plans: list[Plan],
    table: pd.DataFrame,
    permutations: int | None,
    seed: int,
    *,
    workers: int,
    scheduler: str | None,
    progress: Progress | None,
) -> pd.DataFrame:
    """Target, head, observed score, score on permuted labels, p, test: one row per permutation."""
    import pandas as pd

    parts = [table_of([], NULL)]
    for plan in plans if permutations != 0 else ():
        for name in dict.fromkeys(job.name for job in plan.jobs):
            if name in BASELINES:
                continue
            found = null_of(
                [job for job in plan.jobs if job.name == name],
                table,
                permutations=permutations,
                over_people=plan.over_people,
                seed=seed,
                workers=workers,
                scheduler=scheduler,
                progress=progress,
            )
            parts.append(pd.DataFrame({"target": plan.task.target, "head": name, **found}))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _baselines(table: pd.DataFrame, normalise: Normalise, seconds: float) -> dict[str, Matrix]:
    """What baselines see, with people's own levels taken off as the heads' inputs have them."""
    found = baseline_inputs(table)
    if callable(normalise):  # one's own function knows the columns of the heads alone
        return found
    return {
        name: normalised(each, table, how=normalise, calibration_s=seconds)[0]
        for name, each in found.items()
    }


def _draws(own: pd.DataFrame, plan: Plan, name: str, seed: int) -> Any:
    """Classes drawn at random for the windows of the dummy that draws; None of any other."""
    job = next(job for job in plan.jobs if job.name == name)
    if not (job.blind and name == RANDOM):
        return None
    return random_classes(own, job.classes, seed=seed, draws=DRAWS)

"""evaluate(): fit heads on some people, score them on others, refuse what would leak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.cache import Cache
from emotion_rppg.emotion.dummies import DRAWS
from emotion_rppg.emotion.inputs import Matrix, matrix
from emotion_rppg.emotion.table_checks import checked
from emotion_rppg.emotion.tasks import Task, class_names
from emotion_rppg.evaluation import resume
from emotion_rppg.evaluation.fitting import Job, Said
from emotion_rppg.evaluation.folds import AnySplit, Leak, is_leaky, split_name
from emotion_rppg.evaluation.importance import explained, losses
from emotion_rppg.evaluation.normalise import Normalise, normalise_name, normalised
from emotion_rppg.evaluation.permutation import null_of
from emotion_rppg.evaluation.plans import Plan, baseline_inputs, make_plans
from emotion_rppg.evaluation.scoring import (
    RANDOM,
    predictions,
    random_classes,
    scores_of_people,
)
from emotion_rppg.evaluation.statistics import BASELINES
from emotion_rppg.parallel import unless_kept

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
    keep: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
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
        (:mod:`emotion_rppg.evaluation.normalise`).
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
        (:mod:`emotion_rppg.emotion.platt`).
    extra_features : sequence of str
        Numeric columns outside the feature families (``"age"``) that are features all the same.
    allow_unknown_training : bool
        Accept rows made by a network that does not say whom it was trained on; the column
        ``unknown_training`` of the results says so.
    permutations : int, optional
        How often each head is fitted afresh on permuted labels, for its p value. Default: as
        often as its p needs, 249 at most, and for heads that are slow to fit a test that needs
        four more fits (:mod:`emotion_rppg.evaluation.permutation`). 0: no p values.
        ``attrs["null"]`` has the scores and ``summary`` the p value.
    importance : int
        How often each group of columns is exchanged between the tested windows of a person, for
        one head (:mod:`emotion_rppg.evaluation.importance`); ``attrs["importance"]`` has what
        each person's score loses.
    workers : int
        Processes; the numbers do not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers take the place of ``workers``.
    keep : path, optional
        A folder that keeps each finished fold, so that a run that was stopped goes on there.

    Returns
    -------
    DataFrame
        One row a target, head and person. ``attrs["predictions"]`` has every scored window,
        ``attrs["excluded"]`` counts the rows left out, by reason, ``attrs["heads"]`` has the
        heads' settings, ``attrs["over_people"]`` the targets that are scored over people.

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

    from emotion_rppg.evaluation.kept import Kept

    targets = [target] if isinstance(target, str) else list(target)
    table = checked(table, targets=targets, coding=coding)
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
    said = iter(
        _outcomes(jobs, workers, scheduler, None if keep is None else Cache(keep), progress)
    )
    rows, tables = [], []
    for plan in plans:
        parts = [predictions(table, job, plan.task, next(said)) for job in plan.jobs]
        tables.append(pd.concat(parts, ignore_index=True))
        shared = {
            "task": plan.task.target,
            "target": plan.task.target,
            "coding": coding,
            "split": split_name(split),
            "normalise": normalise_name(normalise),
        }
        for name in dict.fromkeys(job.name for job in plan.jobs):
            own = tables[-1][tables[-1]["head"] == name]
            each = scores_of_people(
                own, class_names(table, plan.task), draws=_draws(own, plan, name, seed)
            )
            rows += [{**shared, "head": name, **scores} for scores in each]
    results = pd.DataFrame(rows).assign(
        probabilities=probabilities,
        unknown_training=any(plan.unknown_training for plan in plans),
        leaky=is_leaky(split),
    )
    results.attrs["predictions"] = Kept(pd.concat(tables, ignore_index=True))
    results.attrs["ablate"] = tuple(ablate)
    results.attrs["calibration_s"] = calibration_s
    results.attrs["heads"] = {job.name: " ".join(repr(job.head).split()) for job in jobs}
    results.attrs["excluded"] = {plan.task.target: plan.excluded for plan in plans}
    results.attrs["over_people"] = tuple(p.task.target for p in plans if p.over_people)
    if permutations != 0:
        null = _null(plans, table, permutations, seed, workers, scheduler, progress)
        results.attrs["null"] = Kept(null)
    if importance:
        found = [_losses(plan, results, importance, workers, scheduler) for plan in plans]
        results.attrs["importance"] = Kept(pd.concat(found, ignore_index=True))
    return results


def _outcomes(
    jobs: list[Job],
    workers: int,
    scheduler: str | None,
    keep: Cache | None,
    progress: Progress | None,
) -> list[Said]:
    """What each job said, in the order of the jobs; those kept from an earlier run are read."""
    shared = {id(job.inputs): job for job in jobs} if keep is not None else {}
    digests = {number: resume.digest(job) for number, job in shared.items()}
    names = ["" if keep is None else resume.key(job, digests[id(job.inputs)]) for job in jobs]
    calls = [(job, keep, name) for job, name in zip(jobs, names, strict=True)]
    found: dict[int, Said] = {}
    for number, said, new in unless_kept(
        resume.run_and_keep,
        calls,
        lambda number: None if keep is None else resume.read(keep, names[number]),
        workers=workers,
        scheduler=scheduler,
    ):
        found[number] = said
        if progress is not None and new:
            progress(len(found), len(jobs))
    return [found[k] for k in range(len(jobs))]


def _losses(
    plan: Plan, results: pd.DataFrame, repeats: int, workers: int, scheduler: str | None
) -> pd.DataFrame:
    """Target, head, subject, group of columns, and what the score loses without it."""
    import pandas as pd

    said = results.attrs["predictions"]
    head = explained(plan.jobs, said.loc[said["target"] == plan.task.target, "chosen"].tolist())
    jobs = [job for job in plan.jobs if job.name == head]
    found = losses(jobs, repeats=repeats, workers=workers, scheduler=scheduler) if jobs else []
    columns = ["target", "head", "subject", "group", "drop"]
    return pd.DataFrame(found, columns=columns[2:]).assign(target=plan.task.target, head=head)[
        columns
    ]


def _null(
    plans: list[Plan],
    table: pd.DataFrame,
    permutations: int | None,
    seed: int,
    workers: int,
    scheduler: str | None,
    progress: Progress | None,
) -> pd.DataFrame:
    """Target, head, test, observed score, score on permuted labels, p: a row a permutation."""
    import pandas as pd

    parts = []
    for plan in plans:
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
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


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

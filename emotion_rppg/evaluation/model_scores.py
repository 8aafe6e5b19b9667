"""Put the scores of an evaluation into the card of a model that was fitted in the same way.

A fit has no score: the people of its training cannot test it. What its card can state is how models
fitted in the same way did on people left out. These scores come from an evaluation that was run
before, and are not computed by the fit: that would take as many fits as there are people, and would
leave no folder with the dummies, the people and the permutations, in which a reader can check them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.emotion.model import LEFT_OUT, Model
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.result import Evaluation
from emotion_rppg.evaluation.splits import SPLITS

if TYPE_CHECKING:
    import pandas as pd

_PERSON_UNITS = ("person", "dataset")  # of splits whose tested people are new


def with_scores(model: Model, evaluation: Evaluation | str | Path, *, head: str) -> Model:
    """Return the model with the scores of an evaluation in its card and ``config.json``.

    Parameters
    ----------
    evaluation : Evaluation or folder
        As `evaluate` returned it on the training table of the model.
    head : str
        Name of the model's head in the evaluation: ``"logistic"``.

    Raises
    ------
    InputError
        The evaluation is of another target, head, normalisation, calibration of probabilities or of
        other features or people, or its split does not leave people out: all faults together.
    """
    results = evaluation if isinstance(evaluation, Evaluation) else Evaluation.load(evaluation)
    faults = list(_faults(model, results, head))
    if faults:
        raise InputError(
            f"the evaluation does not belong to this model: {'; '.join(faults)}; evaluate the "
            "training table with the options of the model and a split over people (loso)"
        )
    means = results.summary()
    facts = {
        f"{LEFT_OUT}{name}": _in_words(means[means["target"] == name], head, results)
        for name in model.targets
    }
    return replace(model, training={**model.training, **facts})


def _faults(model: Model, results: Evaluation, head: str) -> Iterator[str]:
    settings, facts = results.settings, model.training
    if absent := [name for name in model.targets if name not in settings.targets]:
        yield f"it has no target {', '.join(absent)}, but {', '.join(settings.targets)}"
    if head not in settings.heads:
        yield f"it has no head {head!r}, but {', '.join(settings.heads)}"
    split = SPLITS.get(settings.split)
    if split is None or split.unit not in _PERSON_UNITS:
        yield f"its split {settings.split!r} does not leave people out"
    calibration_s = settings.calibration_s if settings.normalise == "calibration" else None
    pairs: dict[str, tuple[Any, Any]] = {
        "coding": (settings.coding, facts.get("coding")),
        "normalise": (settings.normalise, facts.get("normalise")),
        "calibration_s": (calibration_s, model.calibration_s),
        "probabilities": (settings.probabilities, model.probabilities),
        "extra_features": (", ".join(settings.extra_features), facts.get("extra features", "")),
        "sources": (", ".join(settings.sources), facts.get("sources", "")),
    }
    for name, (evaluated, fitted) in pairs.items():
        if evaluated != fitted:
            yield f"{name} is {evaluated!r} there and {fitted!r} in the model"
    if settings.ablate:
        yield f"it was run without {', '.join(settings.ablate)} (ablate)"
    if model.lengths:
        yield "a network with several encoders is scored by its comparison of sources alone"
    trained = {f"{d}/{s}" for d, subjects in model.trained_on.items() for s in subjects}
    if others := sorted(set(results.predictions["subject"].astype(str)) - trained):
        shown = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")
        yield f"it tested people whom the model was not trained on ({shown})"


def _in_words(means: pd.DataFrame, head: str, results: Evaluation) -> str:
    """State one target's score with interval, p, what it must beat, and the share withheld."""
    rows = means.set_index("head")
    row = rows.loc[head]
    metric = results.metric.replace("_", " ")
    score = f"{metric} {row['mean']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
    beside = ", ".join(f"{n} {r['mean']:.3f}" for n, r in rows[rows["dummy"]].iterrows())
    corrected = int((~rows["dummy"]).sum())
    among = f", Holm-corrected over {corrected} heads" if corrected > 1 else ""
    tested = row["p"] == row["p"]
    p = f"p = {row['p']:.3f} (label permutation{among})" if tested else "not tested against chance"
    return (
        f"{score} (95 % interval over {int(row['people'])} people; split "
        f"{results.settings.split}; {p}; beside {beside}; {row['withheld']:.0%} of the windows "
        "withheld)"
    )

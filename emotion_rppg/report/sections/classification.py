"""Report sections on predicted classes: confusion, ROC, precision–recall, calibration.

All are of the windows with a trusted pulse: a withheld window has no prediction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.evaluation.curves import Curves, curves_of_people
from emotion_rppg.evaluation.statistics import BASELINES
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots import curves, evaluation

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation
    from emotion_rppg.report.sections.findings import Names


def confusion(results: Evaluation, names: Names) -> list[Section]:
    """Draw the confusion matrix of every head, summed over people."""
    predictions = results.predictions
    drawn = []
    for target, classes in names.items():
        own = predictions[(predictions["target"] == target) & predictions["has_features"]]
        if classes and len(own):
            counts = {h: _counts(part, len(classes)) for h, part in own.groupby("head", sort=False)}
            caption = (
                f"{target}: number of predicted windows of each true class (row) and predicted "
                "class (column), summed over people. Percentages are of the row; darker is more."
            )
            drawn.append((evaluation.plot_confusion(counts, classes), caption))
    return [Section("Confusion matrices", figures=drawn)] if drawn else []


def roc_and_precision(results: Evaluation, names: Names) -> list[Section]:
    """Draw ROC and precision–recall curves of the heads with probabilities, over people."""
    drawn = []
    for target, classes in names.items():
        own = _with_probabilities(results, target, classes)
        shown = {head: _curves(part, classes) for head, part in own.groupby("head", sort=False)}
        if not any(len(c.share) for of_head in shown.values() for c in of_head.values()):
            continue  # no person has both classes
        which = f"“{classes[1]}”" if len(classes) == 2 else "each class against the others"
        most = max(len(c.share) for of_head in shown.values() for c in of_head.values())
        tested = results.scores.loc[results.scores["target"] == target, "subject"].nunique()
        people = f"Curves of {most} of {tested} people, who have windows with a trusted pulse of "
        people += "both classes. " + ("Thin: each person. " if len(classes) == 2 else "")
        drawn.append((curves.plot_roc(shown), f"{target}: ROC curves for {which}. {people}{_ROC}"))
        caption = f"{target}: precision–recall curves for {which}. {people}{_PRECISION}"
        drawn.append((curves.plot_precision_recall(shown), caption))
    return [Section("ROC and precision–recall curves", figures=drawn)] if drawn else []


_ROC = (
    "Bold: mean over people at equal false positive rates (Fawcett 2006); the AUROC is the mean of "
    "people's. Dotted: chance. Withheld windows, whose probability is only the class share of the "
    "training people, do not count here."
)
_PRECISION = (
    "Bold: mean over people at equal recall; AP, average precision, is the mean of people's. "
    "Dotted: share of the class, the precision of random predictions."
)


def calibration(results: Evaluation, names: Names) -> list[Section]:
    """Draw reliability curves of the heads with probabilities, for two classes."""
    drawn = []
    for target, classes in names.items():
        known = _with_probabilities(results, target, classes)
        heads = list(dict.fromkeys(known["head"]))
        if heads and len(classes) == 2:
            caption = (
                f"{target}: calibration (reliability) curves: share of windows that were "
                f"“{classes[1]}” against its predicted probability, in ten bins, windows of all "
                "people with a trusted pulse together. The area of a dot is the number of windows. "
                "ECE is the expected calibration error of these windows. Dotted: calibrated "
                "probabilities. Dashed: probabilities that are calibrated for equally frequent "
                f"classes, as the heads are fitted, where “{classes[1]}” has a share of "
                f"{known['truth'].mean():.1%} as in these data."
            )
            drawn.append((evaluation.reliability(known, heads, name=classes[1]), caption))
    return [Section("Calibration of probabilities", figures=drawn)] if drawn else []


def _with_probabilities(results: Evaluation, target: str, classes: tuple[str, ...]) -> pd.DataFrame:
    """Select trusted windows of one target's heads with probabilities; no dummies and baselines."""
    own = results.predictions[results.predictions["target"] == target]
    if not classes:
        return own.iloc[:0]
    return own[own["p_1"].notna() & own["has_features"] & ~own["head"].isin(BASELINES)]


def _curves(own: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, Curves]:
    """Compute the curves of one head: of the second of two classes, or of each of several."""
    truth, person = own["truth"].to_numpy(), own["subject"].to_numpy(dtype=str)
    shown = [1] if len(classes) == 2 else range(len(classes))
    return {
        classes[k]: curves_of_people(truth == k, own[f"p_{k}"].to_numpy(float), person)
        for k in shown
    }


def _counts(predictions: pd.DataFrame, classes: int) -> np.ndarray:
    """Count windows by true class (row) and predicted class (column), (classes, classes)."""
    flat = predictions["truth"].to_numpy(int) * classes + predictions["predicted"].to_numpy(int)
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes)

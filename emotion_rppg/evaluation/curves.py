"""ROC and precision–recall curves, computed in each person and averaged over people.

Probabilities of different people need not be comparable, and people differ in their number of
windows. So each person has a curve, and curves are averaged at equal false positive rates (Fawcett
2006) or equal recalls. The area under the mean curve is then the mean of people's areas.

References
----------
Davis and Goadrich 2006. The relationship between precision-recall and ROC curves. International
Conference on Machine Learning, 233–240.

Fawcett 2006. An introduction to ROC analysis. Pattern Recognition Letters 27, 861–874.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GRID = np.linspace(0, 1, 201)


@dataclass(frozen=True)
class Curves:
    """Curves of all people who have both classes, on the grid ``GRID``.

    Parameters
    ----------
    roc : array (people, 201)
        True positive rate at each false positive rate of the grid.
    precision : array (people, 201)
        Precision at each recall of the grid: that of the highest threshold which reaches it.
    auroc, average_precision : array (people,)
    share : array (people,)
        Share of windows of the positive class: the precision of random predictions.
    """

    roc: np.ndarray
    precision: np.ndarray
    auroc: np.ndarray
    average_precision: np.ndarray
    share: np.ndarray


def curves_of_people(positive: np.ndarray, probability: np.ndarray, person: np.ndarray) -> Curves:
    """Compute the curves of each person who has windows of both classes.

    Parameters
    ----------
    positive : bool array (n,)
        Whether the true class of each window is the positive one.
    probability, person : array (n,)
        Predicted probability of the positive class, and the person.
    """
    parts = []
    for one in np.unique(person):
        rows = person == one
        if 0 < positive[rows].sum() < rows.sum():
            parts.append(_of_one(positive[rows], probability[rows]))
    roc, precision = (np.array([p[k] for p in parts]).reshape(-1, len(GRID)) for k in (0, 1))
    auroc, average, share = (np.array([p[k] for p in parts], dtype=float) for k in (2, 3, 4))
    return Curves(roc, precision, auroc, average, share)


def _of_one(
    positive: np.ndarray, probability: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """Compute both curves of one person, their areas and the share of positive windows."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(positive, probability, drop_intermediate=False)
    n_true, n_false = positive.sum(), (~positive).sum()
    hits, alarms = true[1:] * n_true, false[1:] * n_false
    recall, precision = true[1:], hits / (hits + alarms)
    # at a vertical step of the curve, its upper end
    roc = np.array([np.interp(x, false, true) for x in GRID])
    roc = np.maximum(roc, [true[false <= x + 1e-12].max() for x in GRID])
    at = np.searchsorted(recall, np.maximum(GRID - 1e-9, 1e-9))  # the first that reaches it
    area = float(np.trapezoid(true, false))
    average = float(np.sum(np.diff(np.r_[0.0, recall]) * precision))
    return roc, precision[at], area, average, float(positive.mean())

"""Effect sizes: how much a feature such as heart rate differs between classes, over people.

The unit is the person: each person's windows of one class are averaged first. Where people have
both classes, the effect is that of the differences inside people (d_z); where each person has one
class, it is that of two groups of people (Hedges' g). Intervals are percentile bootstraps over
people.

References
----------
Hedges 1981. Distribution theory for Glass's estimator of effect size and related estimators.
Journal of Educational Statistics 6, 107–128.

Lakens 2013. Calculating and reporting effect sizes to facilitate cumulative science: a practical
primer for t-tests and ANOVAs. Frontiers in Psychology 4, 863.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.evaluation.statistics import BOOTSTRAP_DRAWS
from emotion_rppg.metrics import pearson

if TYPE_CHECKING:
    import pandas as pd

LEAST_PEOPLE = 4  # with fewer (in each group), no effect is given
WITHIN, BETWEEN = "d_z", "Hedges' g"
_NAN2 = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Effect:
    """Difference of a feature between two classes, with its effect size and 95 % intervals.

    Parameters
    ----------
    kind : str
        ``"d_z"`` (inside people) or ``"Hedges' g"`` (between people); empty with too few people.
    people : int
        People who have both classes, or people in both groups together.
    difference, size : float
        Mean difference, second class minus first, in the feature's unit; and effect size.
    difference_ci, size_ci : (low, high)
    """

    kind: str
    people: int
    difference: float = float("nan")
    difference_ci: tuple[float, float] = _NAN2
    size: float = float("nan")
    size_ci: tuple[float, float] = _NAN2


def means_of_people(values: np.ndarray, classes: np.ndarray, person: np.ndarray) -> pd.DataFrame:
    """Average a feature over each person's windows of each class: a row a person, a column a class.

    Parameters
    ----------
    values, classes, person : array (n,)
        Of each window; windows with a missing value or class (NaN) do not count.
    """
    import pandas as pd

    rows = pd.DataFrame({"value": values, "class": classes, "person": person}).dropna()
    return rows.groupby(["person", "class"])["value"].mean().unstack("class")


def effect(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> Effect:
    """Compare two classes over people: inside people who have both, else between people.

    Parameters
    ----------
    first, second : array (people,)
        Mean of each person in each class, in the same order of people; NaN where a person has no
        window of the class.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    both = np.isfinite(a) & np.isfinite(b)
    draw = np.random.default_rng(seed)
    if both.sum() >= LEAST_PEOPLE:
        return _within(b[both] - a[both], draw)
    if both.any():  # neither all inside people nor all between them
        return Effect("", int(both.sum()))
    return _between(a[np.isfinite(a)], b[np.isfinite(b)], draw)


def _within(difference: np.ndarray, draw: np.random.Generator) -> Effect:
    n = len(difference)
    drawn = difference[draw.integers(0, n, (BOOTSTRAP_DRAWS, n))]
    means, sizes = _mean_with_error(difference, drawn), _d_z(difference, drawn)
    return Effect(WITHIN, n, means.value, means.interval(), sizes.value, sizes.interval())


def _between(a: np.ndarray, b: np.ndarray, draw: np.random.Generator) -> Effect:
    people = len(a) + len(b)
    if min(len(a), len(b)) < LEAST_PEOPLE:
        return Effect("", people)
    drawn_a = a[draw.integers(0, len(a), (BOOTSTRAP_DRAWS, len(a)))]
    drawn_b = b[draw.integers(0, len(b), (BOOTSTRAP_DRAWS, len(b)))]
    means = _Estimate.of(_difference(a, b), _difference(drawn_a, drawn_b))
    sizes = _Estimate.of(_hedges(a, b), _hedges(drawn_a, drawn_b))
    return Effect(BETWEEN, people, means.value, means.interval(), sizes.value, sizes.interval())


@dataclass(frozen=True)
class _Estimate:
    """A statistic with its standard error, of the people and of each bootstrap draw."""

    value: float
    error: float
    values: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(
        cls, people: tuple[np.ndarray, np.ndarray], draws: tuple[np.ndarray, np.ndarray]
    ) -> _Estimate:
        """Make one from (value, standard error) of the people and of the draws."""
        return cls(float(people[0]), float(people[1]), *draws)

    def interval(self) -> tuple[float, float]:
        """Return the 95 % bootstrap-t interval; NaN where over half of the draws are undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (self.values - self.value) / self.errors
        known = t[np.isfinite(t)]
        if len(known) < len(t) / 2:
            return _NAN2
        low, high = np.quantile(known, [0.025, 0.975])
        return self.value - float(high) * self.error, self.value - float(low) * self.error


def _mean_with_error(people: np.ndarray, draws: np.ndarray) -> _Estimate:
    def mean(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x.mean(axis=-1), x.std(axis=-1, ddof=1) / np.sqrt(x.shape[-1])

    return _Estimate.of(mean(people), mean(draws))


def _d_z(people: np.ndarray, draws: np.ndarray) -> _Estimate:
    """Divide the mean by the standard deviation (n − 1), along the last axis; NaN where it is 0."""

    def d_z(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sd = np.where(np.ptp(x, axis=-1) > 0, x.std(axis=-1, ddof=1), np.nan)
        d = x.mean(axis=-1) / sd
        return d, np.sqrt((1 + d**2 / 2) / x.shape[-1])

    return _Estimate.of(d_z(people), d_z(draws))


def _difference(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Subtract the means of two groups along the last axis; with Welch's standard error."""
    variance = a.var(axis=-1, ddof=1) / a.shape[-1] + b.var(axis=-1, ddof=1) / b.shape[-1]
    return b.mean(axis=-1) - a.mean(axis=-1), np.sqrt(variance)


def _hedges(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute Hedges' g along the last axis, with its error; NaN where neither group varies."""
    n, m = a.shape[-1], b.shape[-1]
    pooled = (n - 1) * a.var(axis=-1, ddof=1) + (m - 1) * b.var(axis=-1, ddof=1)
    sd = np.sqrt(pooled / (n + m - 2))
    g = (b.mean(axis=-1) - a.mean(axis=-1)) / np.where(sd > 0, sd, np.nan)
    g *= 1 - 3 / (4 * (n + m - 2) - 1)
    return g, np.sqrt((n + m) / (n * m) + g**2 / (2 * (n + m)))


def correlations_of_people(
    values: np.ndarray, ratings: np.ndarray, person: np.ndarray
) -> np.ndarray:
    """Correlate a feature with a rating inside each person: Pearson's r of those who have one.

    People with fewer than four windows, or without variation, have none.
    """
    known = np.isfinite(values) & np.isfinite(ratings)
    out = []
    for one in np.unique(person[known]):
        rows = known & (person == one)
        if rows.sum() >= LEAST_PEOPLE:
            out.append(pearson(values[rows], ratings[rows]))
    r = np.array(out, dtype=float)
    return r[np.isfinite(r)]

"""The range of each feature that a model saw, and how far outside of it a window lies.

A distance: each feature in units of its distance from the median to the first or last percentile
(of logarithms where it is always positive, for amplitudes and powers are skewed), then the root
mean square over the features. A window is outside where it is farther than 98 % of the windows of
people who were held out when the ranges were made. What that refuses is measured by
`python -m benchmarks.ranges`: see docs/stress_predict.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PERCENTILE = 0.01
INSIDE = 0.98  # share of windows of held-out people that are inside
FURTHEST = 5.0  # of one feature: one absurd value alone is not the whole distance
FOLDS = 10
LEAST_WINDOWS = 20  # of the training; fewer have no range worth the name
LEAST_SIDE = 0.1  # of the other side's width: a feature at its border half of the time


@dataclass(frozen=True, eq=False)
class Ranges:
    """First percentile, median and last percentile of each feature, (features,) each.

    Attributes
    ----------
    positive : (features,) bool
        Where the three are of logarithms.
    limit : float
        Distance beyond which a window is outside.
    """

    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    positive: np.ndarray
    limit: float = np.inf

    @classmethod
    def of(cls, features: np.ndarray, person: np.ndarray) -> Ranges | None:
        """Ranges of training windows (n, features); the limit by people held out in turn.

        Of one person the windows are held out in turn. None for fewer than 20 windows.
        """
        if len(features) < LEAST_WINDOWS:
            return None
        whose = np.unique(person, return_inverse=True)[1]
        fold = whose if whose.max() else np.arange(len(features))
        fold = fold % min(FOLDS, fold.max() + 1)
        distances = [
            cls._of(features[fold != k]).distances(features[fold == k]) for k in np.unique(fold)
        ]
        limit = float(np.quantile(np.concatenate(distances), INSIDE))
        whole = cls._of(features)
        return cls(whole.low, whole.middle, whole.high, whole.positive, limit)

    @classmethod
    def _of(cls, features: np.ndarray) -> Ranges:
        positive = np.nanmin(features, axis=0) > 0
        scaled = _scaled(features, positive)
        three = np.nanquantile(scaled, [PERCENTILE, 0.5, 1 - PERCENTILE], axis=0)
        return cls(three[0], three[1], three[2], positive)

    def units(self, features: np.ndarray) -> np.ndarray:
        """(n, features): 0 at the median, -1 and 1 at the percentiles; NaN where not measured.

        A feature that was the same in all training windows is not looked at.
        """
        below, above = self.middle - self.low, self.high - self.middle
        wide = np.maximum(below, above)
        away = _scaled(features, self.positive) - self.middle
        side = np.maximum(np.where(away < 0, below, above), LEAST_SIDE * wide)
        units = np.divide(away, side, out=np.zeros_like(away), where=wide > 0)
        return np.clip(np.where(np.isnan(features), np.nan, units), -FURTHEST, FURTHEST)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Root mean square of the units of each window, (n,); 0 where nothing was measured."""
        units = self.units(features)
        known = np.isfinite(units)
        squares = np.where(known, units, 0.0) ** 2
        return np.asarray(np.sqrt(squares.sum(axis=1) / np.maximum(known.sum(axis=1), 1)))

    def reasons(self, features: np.ndarray, names: Sequence[str]) -> list[str]:
        """Why each window is outside, with the three features farthest out; empty if it is not."""
        units, distances = np.nan_to_num(self.units(features)), self.distances(features)
        return [
            self._reason(row, unit, distance, names) if distance > self.limit else ""
            for row, unit, distance in zip(features, units, distances, strict=True)
        ]

    def _reason(
        self, row: np.ndarray, unit: np.ndarray, distance: float, names: Sequence[str]
    ) -> str:
        worst = np.argsort(-np.abs(unit), kind="stable")[:3]
        low, high = (self._back(values) for values in (self.low, self.high))
        parts = [
            f"{names[k]} {row[k]:.3g} (trained on {low[k]:.3g} to {high[k]:.3g})" for k in worst
        ]
        return (
            "unlike the windows the model was trained on, another sensor or state perhaps: "
            f"distance {distance:.2f}, limit {self.limit:.2f}; {', '.join(parts)}"
        )

    def _back(self, values: np.ndarray) -> np.ndarray:
        """Values as features have them."""
        return np.where(self.positive, np.exp(np.where(self.positive, values, 0.0)), values)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists for a JSON file."""
        lists = {name: vars(self)[name].tolist() for name in ("low", "middle", "high")}
        return {**lists, "positive": self.positive.tolist(), "limit": self.limit}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Ranges:
        """Restore ranges from the dictionary that `to_dict` returns.

        Raises
        ------
        KeyError, TypeError, ValueError
            Missing or garbled values.
        """
        arrays = [np.array(facts[name], dtype=float) for name in ("low", "middle", "high")]
        positive = np.array(facts["positive"], dtype=bool)
        if len({len(part) for part in (*arrays, positive)}) != 1:
            raise ValueError("ranges of different length")
        low, middle, high = arrays
        return cls(low, middle, high, positive, float(facts["limit"]))


def _scaled(features: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Logarithms of the columns that are always positive."""
    logarithms = np.log(np.where(positive & (features > 0), features, 1e-9))
    return np.where(positive & np.isfinite(features), logarithms, features)

"""Ranges of the features in the training windows, and the distance of a window from them.

Each feature is scaled by the distance from its median to its first or last percentile (of the
logarithm if it is always positive, because amplitudes and powers are skewed). The distance of a
window is the root mean square over its scaled features. A window is outside the ranges if it is
farther than 98 % of the windows of people who were held out when the ranges were computed.
`python -m benchmarks.ranges` measures which windows this rejects: see docs/stress_predict.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

PERCENTILE = 0.01
INSIDE = 0.98  # share of the windows of held-out people that are inside
MAX_UNITS = 5.0  # bound of one scaled feature, so that one absurd value does not decide alone
FOLDS = 10
MIN_WINDOWS = 20  # training windows; percentiles of fewer mean nothing
MIN_SIDE = 0.1  # least width of one side, as a share of the other side's: for features at a bound


@dataclass(frozen=True, eq=False)
class Ranges:
    """First percentile, median and last percentile of each feature.

    Attributes
    ----------
    low, middle, high : (features,)
        The three values, as logarithms where ``positive``.
    positive : (features,) bool
        Whether the feature was positive in all training windows.
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
        """Compute ranges from training windows (n, features); None for fewer than 20 windows.

        The limit comes from people who are held out in turn (windows, if there is one person).
        """
        if len(features) < MIN_WINDOWS:
            return None
        fold = np.unique(person, return_inverse=True)[1]
        fold = fold if fold.max() else np.arange(len(features))
        fold = fold % min(FOLDS, fold.max() + 1)
        distances = [
            cls._of(features[fold != k]).distances(features[fold == k]) for k in np.unique(fold)
        ]
        limit = float(np.quantile(np.concatenate(distances), INSIDE))
        return replace(cls._of(features), limit=limit)

    @classmethod
    def _of(cls, features: np.ndarray) -> Ranges:
        positive = np.nanmin(features, axis=0) > 0
        scaled = _scaled(features, positive)
        low, middle, high = np.nanquantile(scaled, [PERCENTILE, 0.5, 1 - PERCENTILE], axis=0)
        return cls(low, middle, high, positive)

    def units(self, features: np.ndarray) -> np.ndarray:
        """Scale features, (n, features): 0 at the median, -1 and 1 at the percentiles.

        A missing value stays NaN. A feature that was constant in training is ignored (0).
        """
        below, above = self.middle - self.low, self.high - self.middle
        wide = np.maximum(below, above)
        away = _scaled(features, self.positive) - self.middle
        side = np.maximum(np.where(away < 0, below, above), MIN_SIDE * wide)
        units = np.divide(away, side, out=np.zeros_like(away), where=wide > 0)
        return np.clip(np.where(np.isnan(features), np.nan, units), -MAX_UNITS, MAX_UNITS)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Compute the distance of each window, (n, features) -> (n,); 0 without any value."""
        units = self.units(features)
        measured = np.isfinite(units)
        squares = np.where(measured, units, 0.0) ** 2
        return np.asarray(np.sqrt(squares.sum(axis=1) / np.maximum(measured.sum(axis=1), 1)))

    def reasons(self, features: np.ndarray, names: Sequence[str]) -> list[str]:
        """Explain why each window is outside, with its three worst features; empty if inside."""
        units, distances = np.nan_to_num(self.units(features)), self.distances(features)
        return [
            self._reason(row, unit, distance, names) if distance > self.limit else ""
            for row, unit, distance in zip(features, units, distances, strict=True)
        ]

    def _reason(
        self, row: np.ndarray, unit: np.ndarray, distance: float, names: Sequence[str]
    ) -> str:
        worst = np.argsort(-np.abs(unit), kind="stable")[:3]
        low, high = (self._unscaled(values) for values in (self.low, self.high))
        parts = [
            f"{names[k]} {row[k]:.3g} (trained on {low[k]:.3g} to {high[k]:.3g})" for k in worst
        ]
        return (
            "unlike the windows the model was trained on (another sensor or state?): "
            f"distance {distance:.2f}, limit {self.limit:.2f}; {', '.join(parts)}"
        )

    def _unscaled(self, values: np.ndarray) -> np.ndarray:
        """Convert values back to the units of the features."""
        return np.where(self.positive, np.exp(np.where(self.positive, values, 0.0)), values)

    def in_units(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return first percentile, median and last percentile, (features,) each, in units."""
        low, middle, high = map(self._unscaled, (self.low, self.middle, self.high))
        return low, middle, high

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain lists for a JSON file."""
        lists = {name: vars(self)[name].tolist() for name in ("low", "middle", "high")}
        return {**lists, "positive": self.positive.tolist(), "limit": self.limit}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Ranges:
        """Restore ranges from the dictionary that `to_dict` returns.

        Raises
        ------
        KeyError, TypeError, ValueError
            Missing or damaged values.
        """
        arrays = [np.array(facts[name], dtype=float) for name in ("low", "middle", "high")]
        positive = np.array(facts["positive"], dtype=bool)
        if len({len(part) for part in (*arrays, positive)}) != 1:
            raise ValueError("ranges of different length")
        low, middle, high = arrays
        if np.isnan(facts["limit"]):
            raise ValueError("a limit of ranges that is not a number")
        return cls(low, middle, high, positive, float(facts["limit"]))


def _scaled(features: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Take the logarithm of the columns that are always positive."""
    logarithms = np.log(np.where(positive & (features > 0), features, 1e-9))
    return np.where(positive & np.isfinite(features), logarithms, features)

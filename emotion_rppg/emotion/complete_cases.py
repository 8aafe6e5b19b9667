"""Fit heads on complete cases, so that no head can learn from which values are missing.

Which columns of a window are missing depends on its length and quality. Both may differ between the
conditions of a study, and imputed values would reveal it to a head. A head therefore gets the
columns that are jointly present in nine of ten training windows of every class, is fitted on
exactly these windows, and reads beat sequences of one common length. In test windows, missing
values become the training median.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from emotion_rppg.emotion.design_matrix import (
    MIN_PRESENT,
    Matrix,
    lengths_of,
    of_one_length,
    token_groups,
    with_layout,
)
from emotion_rppg.errors import InputError


@dataclass(frozen=True)
class Layout:
    """Feature columns, token channels and number of tokens that are selected from a matrix."""

    names: tuple[str, ...]
    channels: tuple[str, ...]
    longest: int

    def select(self, inputs: Matrix) -> Matrix:
        """Return the matrix of these columns and tokens."""
        features = [inputs.names.index(name) for name in self.names]
        channels = [inputs.channels.index(name) for name in self.channels]
        tokens = inputs.tokens[:, :, channels]
        if len(token_groups(self.channels)) > 1:  # each source has its own length already
            tokens = tokens[:, : self.longest]
        else:
            tokens = of_one_length(tokens, self.longest)
        return Matrix(
            np.hstack([inputs.X[:, features], tokens.reshape(len(tokens), -1)]),
            n_features=len(features),
            n_token_channels=len(channels),
            names=self.names,
            channels=self.channels,
        )


def complete_cases(
    inputs: Matrix, rows: np.ndarray, labels: Sequence[np.ndarray]
) -> tuple[Layout, np.ndarray]:
    """Select the columns to learn from, and the rows in which none of them is missing.

    Columns are tried in order of how often they are present. A column is selected if all selected
    columns are then still jointly present in at least nine of ten rows of every class. For a
    number, the two "classes" are the rows up to and above its median. The number of tokens is the
    one that nine of ten rows of every class reach.

    Parameters
    ----------
    rows : (m,) indices or (n,) mask
        Training rows.
    labels : sequence of (m,)
        For each target, the classes (integers, -1 where missing) or numbers (NaN where missing)
        of these rows.

    Returns
    -------
    Layout, and (m,) bool: which of the rows are complete.

    Raises
    ------
    InputError
        No column is present in rows of every class.
    """
    X, tokens = inputs.X[rows], inputs.tokens[rows]
    present = np.hstack([np.isfinite(X[:, : inputs.n_features]), np.isfinite(tokens).any(axis=1)])
    strata = [stratum for y in labels for stratum in _strata(y)]

    def share(rows: np.ndarray) -> float:
        """Share of the rows within each class, the smallest of them."""
        return min((float(rows[stratum].mean()) for stratum in strata), default=0.0)

    shares = np.array([share(column) for column in present.T])
    order = np.argsort(-shares, kind="stable")
    if not len(order) or not shares[order[0]] > 0:
        raise InputError(
            f"none of the {inputs.n_features} feature columns has values in windows of every "
            "class: there is nothing to learn from; extract longer windows or other families"
        )
    complete, selected = present[:, order[0]], [order[0]]
    for column in order[1:]:
        if share(complete & present[:, column]) >= MIN_PRESENT:
            complete = complete & present[:, column]
            selected.append(column)
    selected = sorted(selected)
    names = tuple(inputs.names[k] for k in selected if k < inputs.n_features)
    channels = tuple(inputs.channels[k - inputs.n_features] for k in selected[len(names) :])
    lengths = lengths_of(tokens)
    reached = [
        np.quantile(lengths[stratum & complete], 1 - MIN_PRESENT, method="lower")
        for stratum in strata
    ]
    return Layout(names, channels, int(min(reached)) if channels else 0), complete


def _strata(y: np.ndarray) -> list[np.ndarray]:
    """Return masks of each class's rows; for numbers, of the rows up to and above the median."""
    if y.dtype.kind in "iu":
        return [y == value for value in np.unique(y[y >= 0])]
    labelled = np.isfinite(y)
    if not labelled.any():
        return []
    middle = np.median(y[labelled])
    halves = [labelled & (y <= middle), labelled & (y > middle)]
    return [half for half in halves if half.any()]


class FittedHead:
    """A fitted head that selects its training columns from the full matrix.

    Attributes
    ----------
    head : estimator
        Fitted on ``layout.select(matrix)``.
    """

    def __init__(self, head: Any, layout: Layout, inputs: Matrix, name: str) -> None:
        self.head, self.layout, self.name = head, layout, name
        self._full = (inputs.n_features, inputs.names, inputs.channels)

    def predict(self, X: np.ndarray, **arguments: Any) -> np.ndarray:
        return np.asarray(self._call("predict", X, **arguments))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "head" not in vars(self):
            raise AttributeError(name)
        value = getattr(self.head, name)
        if name not in ("predict_proba", "decision_function"):
            return value
        return lambda X, **arguments: self._call(name, X, **arguments)

    def _call(self, method: str, X: np.ndarray, **arguments: Any) -> Any:
        features, names, channels = self._full
        full = Matrix(X, features, len(channels), names, channels)
        with as_input_error(self.name, "cannot predict"):
            return getattr(self.head, method)(self.layout.select(full).X, **arguments)


@contextmanager
def as_input_error(name: str, problem: str) -> Iterator[None]:
    """Turn any exception of an estimator into an `InputError`: its name, ``problem``, the cause."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        first = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise InputError(f"the head {name!r} {problem}: {first}") from error


def fit_complete_cases(
    head: Any,
    inputs: Matrix,
    rows: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray,
    others: np.ndarray | None = None,
    seed: int,
    name: str = "",
) -> Any:
    """Fit a clone of the head on the complete cases among some rows.

    ``y``, ``groups`` (people) and ``others`` (other targets) have one entry for each of ``rows``. A
    dummy reads no column, so it is fitted on all rows.

    Returns
    -------
    FittedHead, or the fitted clone of a dummy.

    Raises
    ------
    InputError
        The head cannot be fitted, with its name and its own error; a regressor for classes, or a
        classifier for numbers.
    """
    name = name or type(head).__name__
    if _is_dummy(head):
        return fit_head(head, inputs, rows, y, groups=groups, others=others, seed=seed, name=name)
    layout, complete = complete_cases(inputs, rows, [y])
    fitted = fit_head(
        head,
        layout.select(inputs),
        np.arange(len(inputs.X))[rows][complete],
        y[complete],
        groups=groups[complete],
        others=None if others is None else others[complete],
        seed=seed,
        name=name,
    )
    return FittedHead(fitted, layout, inputs, name)


def fit_head(
    head: Any,
    inputs: Matrix,
    rows: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray,
    others: np.ndarray | None,
    seed: int,
    name: str,
) -> Any:
    """Clone a head, set its layout and seed, and fit it on exactly these rows.

    ``groups`` and ``others`` are passed to heads whose ``fit`` takes them.
    """
    from emotion_rppg.emotion.ensemble import fit_arguments

    _check_kind(head, y, name)
    head = _seeded(with_layout(head, inputs), seed)
    arguments = fit_arguments(head, groups=groups, others=others)
    with as_input_error(name, "cannot be fitted"):
        return head.fit(inputs.X[rows], y, **arguments)


def _seeded(head: Any, seed: int) -> Any:
    """Set every ``random_state`` in the head and its parts."""
    seeds = [name for name in head.get_params() if name.rpartition("__")[2] == "random_state"]
    return head.set_params(**dict.fromkeys(seeds, seed))


def _is_dummy(head: Any) -> bool:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    from emotion_rppg.emotion.dummies import SubjectPrior

    return isinstance(head, DummyClassifier | DummyRegressor | SubjectPrior)


def _check_kind(head: Any, y: np.ndarray, name: str) -> None:
    from sklearn.base import is_classifier, is_regressor

    if y.dtype.kind in "iu" and is_regressor(head):
        raise InputError(
            f"the head {name!r} predicts numbers and the target has classes: give a classifier, "
            "or the coding 'as_is'"
        )
    if y.dtype.kind == "f" and is_classifier(head):
        raise InputError(
            f"the head {name!r} predicts classes and the target is a number: give a regressor, "
            "or a coding that makes classes ('midpoint')"
        )

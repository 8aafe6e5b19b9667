"""Fit heads on complete cases, so that a missing value can tell them nothing.

Which columns a window lacks depends on its length and its quality, and both may differ between the
conditions of a study: imputed values would let a head learn that. So a head gets those columns that
nine in ten training windows of every class hold together, is fitted on these windows alone, and
reads beat sequences of one length. Values that a tested window lacks become the training median.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from emotion_rppg.emotion.design_matrix import Matrix, fitted_to, lengths_of, of_one_length
from emotion_rppg.errors import InputError

PRESENT = 0.9  # of the training windows of every class hold all the columns that are used


@dataclass(frozen=True)
class Layout:
    """Columns, token channels and number of tokens that a head is given of a matrix."""

    names: tuple[str, ...]
    channels: tuple[str, ...]
    longest: int

    def of(self, inputs: Matrix) -> Matrix:
        """The matrix of these columns and tokens."""
        features = [inputs.names.index(name) for name in self.names]
        channels = [inputs.channels.index(name) for name in self.channels]
        tokens = of_one_length(inputs.tokens[:, :, channels], self.longest)
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
    """Choose the columns to learn from, and the rows that hold all of them.

    Columns are tried in the order of how often they are there. One is used if then at least nine
    in ten rows of every class still hold all that is used. Of numbers the two classes are the
    halves of their range. The number of tokens is what nine in ten rows of every class reach.

    Parameters
    ----------
    rows : (m,) indices or (n,) mask
        Training rows.
    labels : sequence of (m,)
        Classes (whole numbers, -1 where there is none) or numbers (NaN) of these rows; one a
        target.

    Returns
    -------
    Layout, and (m,) bool: which of the rows are complete.

    Raises
    ------
    InputError
        No column is there in rows of every class.
    """
    X, tokens = inputs.X[rows], inputs.tokens[rows]
    there = np.hstack([np.isfinite(X[:, : inputs.n_features]), np.isfinite(tokens).any(axis=1)])
    strata = [part for y in labels for part in _strata(y)]

    def share(held: np.ndarray) -> float:
        """Least share over the classes of the rows that hold something."""
        return min((float(held[part].mean()) for part in strata), default=0.0)

    shares = np.array([share(column) for column in there.T])
    order = np.argsort(-shares, kind="stable")
    if not len(order) or not shares[order[0]] > 0:
        raise InputError(
            f"none of the {inputs.n_features} feature columns is there in windows of every class: "
            "there is nothing to learn from"
        )
    whole, used = there[:, order[0]], [order[0]]
    for column in order[1:]:
        if share(whole & there[:, column]) >= PRESENT:
            whole = whole & there[:, column]
            used.append(column)
    chosen = sorted(used)
    names = tuple(inputs.names[k] for k in chosen if k < inputs.n_features)
    channels = tuple(inputs.channels[k - inputs.n_features] for k in chosen[len(names) :])
    lengths = lengths_of(tokens)
    reached = [np.quantile(lengths[part & whole], 1 - PRESENT, method="lower") for part in strata]
    return Layout(names, channels, int(min(reached)) if channels else 0), whole


def _strata(y: np.ndarray) -> list[np.ndarray]:
    """Rows of each class; of numbers, of the lower and the upper half."""
    if y.dtype.kind in "iu":
        return [y == value for value in np.unique(y[y >= 0])]
    labelled = np.isfinite(y)
    if not labelled.any():
        return []
    middle = np.median(y[labelled])
    halves = [labelled & (y <= middle), labelled & (y > middle)]
    return [half for half in halves if half.any()]


class Fitted:
    """A fitted head that takes the columns it learned from out of a whole matrix.

    Attributes
    ----------
    head : estimator
        Fitted on ``layout.of(matrix)``.
    """

    def __init__(self, head: Any, layout: Layout, inputs: Matrix, name: str) -> None:
        self.head, self.layout, self.name = head, layout, name
        self._given = (inputs.n_features, inputs.names, inputs.channels)

    def predict(self, X: np.ndarray, **beside: Any) -> np.ndarray:
        return np.asarray(self._ask("predict", X, **beside))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "head" not in vars(self):
            raise AttributeError(name)
        value = getattr(self.head, name)
        if name not in ("predict_proba", "decision_function"):
            return value
        return lambda X, **beside: self._ask(name, X, **beside)

    def _ask(self, method: str, X: np.ndarray, **beside: Any) -> Any:
        features, names, channels = self._given
        own = self.layout.of(Matrix(X, features, len(channels), names, channels)).X
        with one_sentence(self.name, "cannot predict"):
            return getattr(self.head, method)(own, **beside)


@contextmanager
def one_sentence(name: str, what: str) -> Iterator[None]:
    """Turn whatever an estimator raises into an InputError of one sentence with its name."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        first = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise InputError(f"the head {name!r} {what}: {first}") from error


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
    """A clone of the head, fitted on the complete cases of some rows.

    ``y``, ``groups`` (people) and ``others`` (other targets) belong to ``rows``. A dummy, which
    reads no column, is fitted on all rows.

    Raises
    ------
    InputError
        The head's own error, in one sentence with its name; a regressor for classes.
    """
    how: dict[str, Any] = {"seed": seed, "name": name or type(head).__name__}
    if _is_dummy(head):
        return fit_head(head, inputs, rows, y, groups=groups, others=others, **how)
    layout, whole = complete_cases(inputs, rows, [y])
    index = np.arange(len(inputs.X))[rows][whole]
    own = layout.of(inputs)
    others = None if others is None else others[whole]
    made = fit_head(head, own, index, y[whole], groups=groups[whole], others=others, **how)
    return Fitted(made, layout, inputs, how["name"])


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
    """A clone of the head, laid out for the matrix, seeded, and fitted on exactly these rows.

    Heads that keep people apart in their inner splits are given the groups, those of several
    targets the others.
    """
    from emotion_rppg.emotion.ensemble import fit_arguments

    _check_kind(head, y, name)
    made = _seeded(fitted_to(head, inputs), seed)
    beside = fit_arguments(made, groups=groups, others=others)
    with one_sentence(name, "cannot be fitted"):
        return made.fit(inputs.X[rows], y, **beside)


def _seeded(head: Any, seed: int) -> Any:
    """The head with every ``random_state`` inside it set."""
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

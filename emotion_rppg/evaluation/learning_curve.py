"""Learning curve: the score of a head as a function of the number of training people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.evaluation.normalisation import Normalise
from emotion_rppg.evaluation.splits import Fold, loso
from emotion_rppg.windows import people

if TYPE_CHECKING:
    import pandas as pd


def learning_curve(
    table: pd.DataFrame,
    *,
    target: str,
    heads: Any = "logistic",
    sizes: Sequence[int] = (),
    repeats: int = 3,
    seed: int = 0,
    coding: str = "midpoint",
    normalise: Normalise = "none",
    calibration_s: float = 240.0,
    ablate: Sequence[str] = (),
    probabilities: str = "temperature",
    extra_features: Sequence[str] = (),
    allow_unknown_training: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Score every person by heads that were fitted on limited numbers of other people.

    Parameters that are not listed are those of `emotion_rppg.evaluate`.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of training people; default: 2, 4, 8 … and all other people.
    repeats : int
        Random draws of training people at each size.

    Returns
    -------
    DataFrame
        ``Evaluation.scores`` of each run with ``training_people`` and ``draw``.
    """
    import pandas as pd

    from emotion_rppg.evaluation.run import evaluate

    n_others = people(table)[table[f"label_{target}"].notna()].nunique() - 1
    run_sizes = [n for n in sizes or _doubling(n_others) if 0 < n <= n_others]
    parts = []
    for n in run_sizes:
        for draw in range(1 if n == n_others else repeats):
            part = evaluate(
                table,
                target=target,
                heads=heads,
                split=_loso_with_fewer(n, draw),
                coding=coding,
                normalise=normalise,
                calibration_s=calibration_s,
                ablate=ablate,
                probabilities=probabilities,
                extra_features=extra_features,
                allow_unknown_training=allow_unknown_training,
                permutations=0,  # a curve shows no p values
                workers=workers,
                scheduler=scheduler,
                seed=seed,
            )
            parts.append(part.scores.assign(training_people=n, draw=draw))
    return pd.concat(parts, ignore_index=True)


def _doubling(n_others: int) -> list[int]:
    return [n for n in (2**k for k in range(1, 12)) if n < n_others] + [n_others]


def _loso_with_fewer(n: int, repeat: int) -> Any:
    """Make a leave-one-subject-out split that trains on ``n`` randomly drawn other people."""

    def loso_of_fewer(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
        person = people(table).to_numpy()
        for fold, (train, test) in enumerate(loso(table)):
            names = np.unique(person[train])
            draw = np.random.default_rng([seed, n, repeat, fold])
            selected = draw.choice(names, n, replace=False)
            yield train[np.isin(person[train], selected)], test

    return loso_of_fewer

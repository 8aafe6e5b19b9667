"""What more people would bring: the score against how many people a head learned from."""

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
    """Score every person by heads that learned from only so many others.

    Parameters that are not listed are those of `emotion_rppg.evaluate`.

    Parameters
    ----------
    sizes : sequence of int
        Training people; default: doubling from two, up to all the others.
    repeats : int
        Draws of training people at each size.

    Returns
    -------
    DataFrame
        ``Evaluation.scores`` of each run with ``training_people`` and ``draw``.
    """
    import pandas as pd

    from emotion_rppg.evaluation.run import evaluate

    most = people(table)[table[f"label_{target}"].notna()].nunique() - 1
    chosen = [n for n in sizes or _doubling(most) if 0 < n <= most]
    parts = []
    for n in chosen:
        for draw in range(1 if n == most else repeats):
            part = evaluate(
                table,
                target=target,
                heads=heads,
                split=_fewer(n, draw),
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


def _doubling(most: int) -> list[int]:
    return [n for n in (2**k for k in range(1, 12)) if n < most] + [most]


def _fewer(n: int, repeat: int) -> Any:
    def loso_of_fewer(table: pd.DataFrame, *, seed: int = 0) -> Iterator[Fold]:
        person = people(table).to_numpy()
        for fold, (train, test) in enumerate(loso(table)):
            names = np.unique(person[train])
            draw = np.random.default_rng([seed, n, repeat, fold])
            kept = draw.choice(names, n, replace=False)
            yield train[np.isin(person[train], kept)], test

    return loso_of_fewer

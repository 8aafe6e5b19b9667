"""From the feature table to the one float array that every head takes.

A head sees ``X`` (n, F + L·C): F feature columns, then L beat tokens of C channels each,
flattened and padded with NaN. A classic head takes the first F columns, a sequence head undoes
the flattening.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.windows import EMBEDDING, IDENTITY, LABEL, QUALITY, SCALE, SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

NOT_FEATURES = (*IDENTITY, "encoder", "encoder_trained_on")
ABLATIONS = ("quality", "sequence", "embedding")


@dataclass(frozen=True, eq=False)
class Matrix:
    """What the heads see of a table.

    ``X`` (n, n_features + longest · n_token_channels); ``names`` are those of the features.
    """

    X: np.ndarray
    n_features: int
    n_token_channels: int
    names: tuple[str, ...]

    @property
    def longest(self) -> int:
        """Tokens a row has room for; 0 where the table has no sequences."""
        width = self.X.shape[1] - self.n_features
        return width // self.n_token_channels if self.n_token_channels else 0


def feature_names(table: pd.DataFrame, *, ablate: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the numeric feature columns, in the table's order.

    Identity, labels, their scales and sequences are no features; quality columns are, unless
    ``ablate`` holds ``"quality"``.
    """
    from pandas.api.types import is_numeric_dtype

    _check_ablation(ablate)
    out = {*NOT_FEATURES, *(QUALITY if "quality" in ablate else ())}
    prefixes = (LABEL, SCALE, SEQUENCE, *((EMBEDDING,) if "embedding" in ablate else ()))
    return tuple(
        str(name)
        for name in table.columns
        if name not in out
        and not str(name).startswith(prefixes)
        and is_numeric_dtype(table[name].dtype)
    )


def matrix(
    table: pd.DataFrame,
    *,
    ablate: Sequence[str] = (),
    names: Sequence[str] | None = None,
    longest: int | None = None,
) -> Matrix:
    """The table's features and beat tokens as one float array.

    Infinities become NaN; a column of nothing but NaN stays, so that the width never depends on
    the values.

    Parameters
    ----------
    ablate : sequence of str
        ``"quality"`` leaves out the quality columns and the tokens' confidence (how well the
        pulse was seen, which alone can tell conditions apart because people move),
        ``"sequence"`` the tokens, ``"embedding"`` the columns ``emb_…``.
    names, longest : optional
        ``Matrix.names`` and ``Matrix.longest`` of the training table: exactly those columns and
        that many tokens are taken. Shorter sequences are padded; of longer ones the first
        ``longest`` tokens are kept.

    Raises
    ------
    InputError
        No numeric feature column; a column of ``names`` is missing or holds words; tokens are
        wanted and the table has none.
    """
    chosen = feature_names(table, ablate=ablate) if names is None else tuple(names)
    if not chosen:
        raise InputError(
            f"the table has no numeric feature column ({_some(map(str, table.columns))}): "
            "want a table as `emotion-rppg features` writes it"
        )
    missing = [name for name in chosen if name not in table.columns]
    if missing:
        raise InputError(
            f"the table lacks {len(missing)} of the {len(chosen)} columns the model was trained "
            f"on ({_some(missing)}): extract it with the same feature families"
        )
    features = np.column_stack([_numbers(table, name) for name in chosen])
    tokens = _tokens(table, ablate=ablate, longest=longest)
    return Matrix(
        np.hstack([features, tokens.reshape(len(table), tokens.shape[1] * tokens.shape[2])]),
        n_features=len(chosen),
        n_token_channels=tokens.shape[2] if tokens.shape[1] else 0,
        names=chosen,
    )


def of_families(table: pd.DataFrame, families: Sequence[str]) -> pd.DataFrame:
    """The table without the columns of other feature families; what belongs to none stays.

    Raises
    ------
    InputError
        An unknown family, or one of which the table has no column.
    """
    from emotion_rppg.baselines import VS_BASELINE
    from emotion_rppg.features import FAMILIES, check_families

    check_families(families)
    columns = {name: set(make([])) for name, make in FAMILIES.items()}
    own = {str(c): str(c).removesuffix(VS_BASELINE) for c in table.columns}
    for name in families:
        if not columns[name] & set(own.values()):
            raise InputError(
                f"the table has no column of the family {name!r}: extract it with --families {name}"
            )
    kept = set().union(*(columns[name] for name in families))
    out = set().union(*columns.values()) - kept
    return table[[c for c in table.columns if own[str(c)] not in out]]


def fitted_to(head: Any, matrix: Matrix) -> Any:
    """A clone of the head, told how the matrix is laid out.

    Every parameter called ``n_features`` or ``n_token_channels``, however deep inside a pipeline,
    is set; a head without them (a dummy, one's own estimator on all columns) is only cloned.
    """
    from sklearn.base import clone

    layout = {"n_features": matrix.n_features, "n_token_channels": matrix.n_token_channels}
    head = clone(head)
    return head.set_params(
        **{
            name: layout[name.rpartition("__")[2]]
            for name in head.get_params()
            if name.rpartition("__")[2] in layout
        }
    )


def fit_on(
    head: Any,
    inputs: Matrix,
    rows: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray,
    others: np.ndarray | None = None,
    random_state: int,
) -> Any:
    """A clone of the head, laid out for the matrix, seeded, and fitted on some of its rows.

    ``y``, ``groups`` (people) and ``others`` (other targets) belong to those rows. Heads that keep
    people apart in their inner splits are given the groups, those of several targets the others.
    """
    from emotion_rppg.emotion.ensemble import asked_for

    head = fitted_to(head, inputs)
    seeds = [name for name in head.get_params() if name.rpartition("__")[2] == "random_state"]
    head.set_params(**dict.fromkeys(seeds, random_state))
    return head.fit(inputs.X[rows], y, **asked_for(head, groups=groups, others=others))


def _numbers(table: pd.DataFrame, name: str) -> np.ndarray:
    try:
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name!r} holds something else than numbers: {error}") from error
    return np.where(np.isfinite(values), values, np.nan)


def _tokens(table: pd.DataFrame, *, ablate: Sequence[str], longest: int | None) -> np.ndarray:
    """(n, longest, channels); (n, 0, 0) where there are none or none are wanted."""
    _check_ablation(ablate)
    none = np.empty((len(table), 0, 0))
    if longest == 0 or "sequence" in ablate:
        return none
    if not any(str(name).startswith(SEQUENCE) for name in table.columns):
        if longest is None:
            return none
        raise InputError(
            f"the table has no beat sequences (columns {SEQUENCE}…), the model was trained with "
            "them: extract it with the family 'sequence'"
        )
    from emotion_rppg.features import sequences

    tokens = np.asarray(sequences.tokens(table), dtype=float)
    keep = [
        "quality" not in ablate or not channel.startswith("confidence")
        for channel in sequences.CHANNELS
    ]
    tokens = np.where(np.isfinite(tokens), tokens, np.nan)[:, :longest, keep]
    room = (longest or 0) - tokens.shape[1]
    return np.pad(tokens, ((0, 0), (0, max(room, 0)), (0, 0)), constant_values=np.nan)


def _check_ablation(ablate: Sequence[str]) -> None:
    if isinstance(ablate, str):
        raise InputError(f"ablate is a list of names, got {ablate!r}: write ({ablate!r},)")
    unknown = [name for name in ablate if name not in ABLATIONS]
    if unknown:
        raise InputError(f"cannot ablate {unknown[0]!r}; known: {', '.join(ABLATIONS)}")


def _some(names: Any) -> str:
    names = list(names)
    return ", ".join(names[:6]) + (" …" if len(names) > 6 else "") if names else "no columns at all"

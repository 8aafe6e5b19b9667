"""From the feature table to the one float array that every head takes.

A head sees ``X`` (n, F + L·C): F feature columns, then L beat tokens of C channels each,
flattened and padded with NaN. A classic head takes the first F columns, a sequence head undoes
the flattening.

Features are chosen by inclusion: columns of the registered families, their differences from a
baseline, and embeddings. Whatever else a table holds (a row number, an age, a copied rating) is a
feature only when it is named.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.windows import EMBEDDING, IDENTITY, LABEL, SCALE, SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
NOT_FEATURES = (*IDENTITY, "encoder", "encoder_trained_on")
ABLATIONS = ("quality", "sequence", "embedding")
UNEQUAL = 1.1  # longest over shortest window
CONFIDENCE = "seq_confidence"  # the column of the tokens' channel "confidence"


@dataclass(frozen=True, eq=False)
class Matrix:
    """What the heads see of a table.

    ``X`` (n, n_features + longest · n_token_channels); ``names`` are those of the features,
    ``channels`` those of the tokens.
    """

    X: np.ndarray
    n_features: int
    n_token_channels: int
    names: tuple[str, ...]
    channels: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """Tokens a row has room for; 0 where the table has no sequences."""
        width = self.X.shape[1] - self.n_features
        return width // self.n_token_channels if self.n_token_channels else 0

    @property
    def tokens(self) -> np.ndarray:
        """Beat tokens, (n, longest, n_token_channels)."""
        shape = (len(self.X), self.longest, self.n_token_channels)
        return self.X[:, self.n_features :].reshape(shape)


def feature_names(
    table: pd.DataFrame, *, ablate: Sequence[str] = (), extra_features: Sequence[str] = ()
) -> tuple[str, ...]:
    """Names of the feature columns, in the table's order.

    The numeric columns of ``FAMILIES`` and their ``…_vs_baseline``, embeddings, and whatever
    ``extra_features`` names. Columns that describe the recording or reveal its length
    (`Column.is_feature`) are features only when named.

    Raises
    ------
    InputError
        ``extra_features`` names a column that the table lacks, that holds no numbers, or that is
        a label.
    """
    from emotion_rppg.features import column, describes_recording

    _check_ablation(ablate)
    _check_extra(table, extra_features)

    def chosen(name: str) -> bool:
        if name.startswith(EMBEDDING):
            return "embedding" not in ablate
        if describes_recording(name):
            return name in extra_features and "quality" not in ablate
        return name in extra_features or column(name) is not None

    return tuple(name for name in _numeric(table) if chosen(name))


def _numeric(table: pd.DataFrame) -> list[str]:
    """Numeric columns that are no label, scale or sequence."""
    from pandas.api.types import is_numeric_dtype

    return [
        str(name)
        for name in table.columns
        if not str(name).startswith((LABEL, SCALE, SEQUENCE)) and is_numeric_dtype(table[name])
    ]


def _check_extra(table: pd.DataFrame, extra_features: Sequence[str]) -> None:
    if isinstance(extra_features, str):
        raise InputError(
            f"extra_features is a list of column names, got {extra_features!r}: "
            f"write ({extra_features!r},)"
        )
    able = {*_numeric(table), CONFIDENCE}
    missing = [name for name in extra_features if name not in table.columns]
    unfit = [name for name in extra_features if name in table.columns and name not in able]
    wrong = [f"{name!r} is no column of the table" for name in missing]
    wrong += [f"{name!r} is a label" for name in unfit if name.startswith((LABEL, SCALE))]
    wrong += [f"{name!r} holds no numbers" for name in unfit if f"{name!r} is a label" not in wrong]
    if wrong:
        raise InputError(
            f"extra_features: {'; '.join(wrong)}; want names of numeric columns that are no labels"
        )


def _log_unused(table: pd.DataFrame, chosen: Sequence[str]) -> None:
    """Name the numeric columns that nobody registered and nobody asked for."""
    from emotion_rppg.features import describes_recording
    from emotion_rppg.features.baseline_columns import VS_BASELINE

    known = {*chosen, *NOT_FEATURES}
    unused = [
        name
        for name in _numeric(table)
        if name not in known
        and not describes_recording(name)
        and not name.startswith(EMBEDDING)
        and not name.endswith(VS_BASELINE)
    ]
    if unused:
        _log.warning(
            "not used as features: %s (no columns of a feature family; to use one, name it with "
            "extra_features, --extra-features)",
            _some(unused),
        )


def _log_lengths(table: pd.DataFrame) -> None:
    """Warn of windows of unequal length: they scatter differently, whatever the heart does."""
    if "duration_s" not in table or not len(table):
        return
    low, high = float(table["duration_s"].min()), float(table["duration_s"].max())
    if high > UNEQUAL * low > 0:
        _log.warning(
            "windows are %.0f to %.0f s long: features scatter more in shorter ones, which a head "
            "may learn where lengths differ between conditions; extract with one length",
            low,
            high,
        )


def matrix(
    table: pd.DataFrame,
    *,
    ablate: Sequence[str] = (),
    extra_features: Sequence[str] = (),
    names: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    longest: int | None = None,
) -> Matrix:
    """The table's features and beat tokens as one float array.

    Infinities become NaN; a column of nothing but NaN stays, so that the width never depends on
    the values. Where a pulse's shape was not measured, its token takes the row's median: how many
    pulses were clear is no information about the heart.

    Parameters
    ----------
    ablate : sequence of str
        ``"sequence"`` leaves out the beat tokens, ``"embedding"`` the columns ``emb_…``,
        ``"quality"`` what ``extra_features`` names of the columns that describe the recording.
    extra_features : sequence of str
        Columns outside the feature families that are features all the same;
        ``"seq_confidence"`` adds the tokens' confidence (how clear each beat was).
    names, channels, longest : optional
        ``names``, ``channels`` and ``longest`` of the training matrix: exactly those columns and
        that many tokens are taken. Of longer sequences the first ``longest`` tokens are kept,
        shorter ones are reflected at their end until they are as long (see `of_one_length`).

    Raises
    ------
    InputError
        No feature column; a column of ``names`` is missing or holds words; tokens are wanted and
        the table has none; ``extra_features`` that cannot be used.
    """
    if names is None:
        chosen = feature_names(table, ablate=ablate, extra_features=extra_features)
        _log_unused(table, chosen)
        _log_lengths(table)
    else:
        chosen = tuple(names)
    if not chosen:
        raise InputError(
            f"the table has no numeric feature column ({_some(map(str, table.columns))}): "
            "want a table as `emotion-rppg features` writes it, or name its columns with "
            "extra_features (--extra-features)"
        )
    missing = [name for name in chosen if name not in table.columns]
    if missing:
        raise InputError(
            f"the table lacks {len(missing)} of the {len(chosen)} columns the model was trained "
            f"on ({_some(missing)}): extract it with the same feature families"
        )
    if channels is None:
        sure = CONFIDENCE in extra_features and "quality" not in ablate
        channels = _channels(confidence=sure or names is not None)
    features = np.column_stack([_numbers(table, name) for name in chosen])
    tokens = _tokens(table, channels, longest=0 if "sequence" in ablate else longest)
    used = tuple(channels) if tokens.shape[1] else ()
    return Matrix(
        np.hstack([features, tokens.reshape(len(table), tokens.shape[1] * tokens.shape[2])]),
        n_features=len(chosen),
        n_token_channels=len(used),
        names=chosen,
        channels=used,
    )


def _channels(*, confidence: bool) -> tuple[str, ...]:
    from emotion_rppg.features.sequences import CHANNELS

    return tuple(name for name in CHANNELS if confidence or name != "confidence")


def of_families(table: pd.DataFrame, families: Sequence[str]) -> pd.DataFrame:
    """The table without the columns of other feature families; what belongs to none stays.

    Raises
    ------
    InputError
        An unknown family, or one of which the table has no column.
    """
    from emotion_rppg.features import FAMILIES, check_families
    from emotion_rppg.features.baseline_columns import VS_BASELINE

    check_families(families)
    columns = {name: set(family.columns) for name, family in FAMILIES.items()}
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

    Every parameter called ``n_features``, ``n_token_channels`` or ``channels`` (their names with
    commas), however deep inside a pipeline, is set; a head without them (a dummy) is only cloned.
    """
    from sklearn.base import clone

    layout: dict[str, Any] = {"n_features": matrix.n_features}
    layout |= {"n_token_channels": matrix.n_token_channels, "channels": ",".join(matrix.channels)}
    head = clone(head)
    return head.set_params(
        **{
            name: layout[name.rpartition("__")[2]]
            for name in head.get_params()
            if name.rpartition("__")[2] in layout
        }
    )


def of_one_length(tokens: np.ndarray, longest: int) -> np.ndarray:
    """Make every sequence as long: (n, any, channels), NaN-padded -> (n, longest, channels).

    Of longer ones the first tokens are kept; shorter ones run back and forth (reflected at their
    ends) until they are as long. So the number of beats, which tells a window's duration and how
    much of it was clear, is the same for all. A row without tokens stays NaN.
    """
    lengths = lengths_of(tokens)
    last = np.maximum(lengths - 1, 0)[:, None]
    place = np.arange(longest) % np.maximum(2 * last, 1)
    place = np.where(place > last, 2 * last - place, place)
    if not tokens.shape[1]:
        return np.full((len(tokens), longest, tokens.shape[2]), np.nan)
    return np.take_along_axis(tokens, place[:, :, None], axis=1)


def lengths_of(tokens: np.ndarray) -> np.ndarray:
    """Number of tokens of each row up to the last one with a value, int (n,)."""
    known = np.isfinite(tokens).any(axis=2)
    return np.asarray((known * np.arange(1, known.shape[1] + 1)).max(axis=1, initial=0))


def _numbers(table: pd.DataFrame, name: str) -> np.ndarray:
    from emotion_rppg.features import column

    try:
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name!r} holds something else than numbers: {error}") from error
    known = column(name)
    if known is not None and known.step is not None:
        values = known.step * np.round(values / known.step)
    return np.where(np.isfinite(values), values, np.nan)


def _tokens(table: pd.DataFrame, channels: Sequence[str], *, longest: int | None) -> np.ndarray:
    """(n, longest, channels); (n, 0, 0) where there are none or none are wanted."""
    none = np.empty((len(table), 0, 0))
    if longest == 0 or not channels:
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
    tokens = tokens[:, :, [sequences.CHANNELS.index(name) for name in channels]]
    tokens = _without_holes(np.where(np.isfinite(tokens), tokens, np.nan))
    return tokens if longest is None else of_one_length(tokens, longest)


def _without_holes(tokens: np.ndarray) -> np.ndarray:
    """Tokens with the row's median where a channel was not measured; padding stays NaN."""
    there = np.arange(tokens.shape[1]) < lengths_of(tokens)[:, None]
    hole = there[:, :, None] & np.isnan(tokens)
    rows = hole.any(axis=1) & np.isfinite(tokens).any(axis=1)
    for row, channel in np.argwhere(rows):
        own = tokens[row, :, channel]
        own[hole[row, :, channel]] = np.nanmedian(own)
    return tokens


def _check_ablation(ablate: Sequence[str]) -> None:
    if isinstance(ablate, str):
        raise InputError(f"ablate is a list of names, got {ablate!r}: write ({ablate!r},)")
    unknown = [name for name in ablate if name not in ABLATIONS]
    if unknown:
        raise InputError(f"cannot ablate {unknown[0]!r}; known: {', '.join(ABLATIONS)}")


def _some(names: Any) -> str:
    names = list(names)
    return ", ".join(names[:6]) + (" …" if len(names) > 6 else "") if names else "no columns at all"

"""Build the design matrix of the heads from a feature table.

A head takes ``X`` (n, F + L·C): F feature columns, then L beat tokens of C channels each,
flattened and padded with NaN. A classic head reads the first F columns; a sequence head restores
the shape (L, C) of the tokens.

Features are chosen by inclusion: columns of the registered families, their differences from a
baseline, and embeddings. Any other column (a row number, an age, a copied rating) is a feature only
when it is named.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.windows import (
    BEATS,
    EMBEDDING,
    FACE_PLACE,
    IDENTITY,
    LABEL,
    OF_EVENT,
    PERSON,
    SCALE,
    SEQUENCE,
    sequences_fault,
)

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
NOT_FEATURES = (*IDENTITY, *OF_EVENT, PERSON, *FACE_PLACE, "encoder", "encoder_trained_on")
ABLATIONS = ("quality", "sequence", "embedding")
MAX_LENGTH_RATIO = 1.1  # longest over shortest window, above which a warning is logged
MIN_PRESENT = 0.9  # least share of windows with all selected columns, or with a sequence's length
CONFIDENCE = "seq_confidence"  # column of the token channel "confidence"


@dataclass(frozen=True, eq=False)
class Matrix:
    """Features and beat tokens of a table as one array.

    Attributes
    ----------
    X : (n, n_features + longest · n_token_channels)
        Features, then flattened tokens; NaN where a value is missing.
    names : tuple of str
        Names of the features.
    channels : tuple of str
        Names of the token channels.
    """

    X: np.ndarray
    n_features: int
    n_token_channels: int
    names: tuple[str, ...]
    channels: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """Number of tokens in a row, padding included; 0 if the table has no sequences."""
        width = self.X.shape[1] - self.n_features
        return width // self.n_token_channels if self.n_token_channels else 0

    @property
    def tokens(self) -> np.ndarray:
        """Beat tokens, (n, longest, n_token_channels)."""
        shape = (len(self.X), self.longest, self.n_token_channels)
        return self.X[:, self.n_features :].reshape(shape)


@dataclass(frozen=True)
class TokenGroup:
    """Token channels of one source: its name, and the numbers of its channels."""

    name: str
    channels: tuple[int, ...]


def token_groups(channels: Sequence[str]) -> list[TokenGroup]:
    """Group token channels by source: those of beats together, each sensor's by itself.

    Examples
    --------
    >>> [group.name for group in token_groups(["ibi_ms", "difference_ms", "eda_us"])]
    ['beats', 'eda_us']
    """
    from emotion_rppg.features.sequences import CHANNELS

    groups: dict[str, list[int]] = {}
    for number, name in enumerate(channels):
        groups.setdefault("beats" if name in CHANNELS else name, []).append(number)
    return [TokenGroup(name, tuple(numbers)) for name, numbers in groups.items()]


def token_columns(channels: Iterable[str]) -> tuple[str, ...]:
    """List the columns that token channels are read from, one for each source.

    Examples
    --------
    >>> token_columns(["ibi_ms", "difference_ms", "eda_us"])
    ('seq_confidence', 'seq_eda_us')
    """
    groups = token_groups(list(channels))
    return tuple(CONFIDENCE if g.name == "beats" else SEQUENCE + g.name for g in groups)


def source_channels(table: pd.DataFrame, kinds: Iterable[str], *, confidence: bool) -> list[str]:
    """List the token channels of those kinds of signal in a table: of beats, then of sensors."""
    from emotion_rppg.features.family import PULSE
    from emotion_rppg.features.sensor_sequences import COLUMN_OF

    kinds = list(kinds)
    beats = PULSE in kinds and BEATS in table.columns
    columns = [COLUMN_OF[kind][0] for kind in kinds if kind in COLUMN_OF]
    sensors = [c.removeprefix(SEQUENCE) for c in columns if c in table.columns]
    return [*(_channels(confidence=confidence) if beats else ()), *sensors]


def feature_names(
    table: pd.DataFrame, *, ablate: Sequence[str] = (), extra_features: Sequence[str] = ()
) -> tuple[str, ...]:
    """List the names of the feature columns, in the table's order.

    These are the numeric columns of ``FAMILIES`` and their ``…_vs_baseline``, embeddings, and the
    columns in ``extra_features``. Columns that describe the recording or reveal its length
    (`Column.is_feature`) are features only when named.

    Raises
    ------
    InputError
        A column in ``extra_features`` is missing, contains no numbers, or is a label.
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
    """List the numeric columns other than labels, scales and sequences."""
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
    usable = {*_numeric(table), CONFIDENCE}

    def fault(name: str) -> str:
        if name not in table.columns:
            return f"{name!r} is not a column of the table"
        if name.startswith((LABEL, SCALE)):
            return f"{name!r} is a label"
        return "" if name in usable else f"{name!r} contains no numbers"

    faults = [text for name in extra_features if (text := fault(name))]
    if faults:
        raise InputError(
            f"extra_features: {'; '.join(faults)}; want names of numeric columns other than labels"
        )


def _log_unused(table: pd.DataFrame, chosen: Sequence[str]) -> None:
    """Warn of numeric columns that belong to no family and were not requested."""
    from emotion_rppg.features import describes_recording
    from emotion_rppg.features.baseline_columns import COMPARED

    known = {*chosen, *NOT_FEATURES}
    unused = [
        name
        for name in _numeric(table)
        if name not in known
        and not describes_recording(name)
        and not name.startswith(EMBEDDING)
        and not name.endswith(COMPARED)
    ]
    if unused:
        _log.warning(
            "not used as features: %s (not columns of a feature family; to use one, name it in "
            "extra_features, --extra-features)",
            _listed(unused),
        )


def _log_lengths(table: pd.DataFrame) -> None:
    """Warn of windows of unequal length: the variance of a feature depends on the length."""
    if "duration_s" not in table or not len(table):
        return
    low, high = float(table["duration_s"].min()), float(table["duration_s"].max())
    if high > MAX_LENGTH_RATIO * low > 0:
        _log.warning(
            "windows are %.0f to %.0f s long: features vary more in shorter windows, and a head "
            "may learn the length instead of the condition; extract all windows with one length",
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
    lengths: Sequence[int] = (),
) -> Matrix:
    """Convert the features and beat tokens of a table to one float array.

    Infinities become NaN. A column without any value stays, so that the width never depends on the
    values. A token channel that was not measured for a beat takes the median of its row: the number
    of clear pulses is not information about the heart.

    Parameters
    ----------
    ablate : sequence of str
        ``"sequence"`` omits the beat tokens, ``"embedding"`` the columns ``emb_…``, ``"quality"``
        the columns in ``extra_features`` that describe the recording.
    extra_features : sequence of str
        Columns outside the feature families to use as features; ``"seq_confidence"`` adds the
        token channel of each beat's confidence.
    names, channels, longest : optional
        ``names``, ``channels`` and ``longest`` of the training matrix: exactly those columns and
        that number of tokens are selected. Longer sequences are cut after ``longest`` tokens,
        shorter ones are extended by reflection (`of_one_length`). ``channels`` may include those of
        sensors (`source_channels`); the tokens of each source then have a length of their own.
    lengths : sequence of int
        Number of tokens of each source of ``channels`` (`token_groups`), as in the training.
        Default: the number that nine of ten of its windows reach.

    Raises
    ------
    InputError
        No feature column; a column of ``names`` is missing or contains text; tokens are requested
        but the table has none; ``extra_features`` that cannot be used.
    """
    if names is None:
        chosen = feature_names(table, ablate=ablate, extra_features=extra_features)
        _log_unused(table, chosen)
        _log_lengths(table)
    else:
        chosen = tuple(names)
    if not chosen:
        raise InputError(
            f"the table has no numeric feature column ({_listed(map(str, table.columns))}): "
            "want a table as `emotion-rppg features` writes it, or name its columns with "
            "extra_features (--extra-features)"
        )
    missing = [name for name in chosen if name not in table.columns]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(chosen)} feature columns of the model are missing in the "
            f"table ({_listed(missing)}): extract it with the same feature families"
        )
    if channels is None:
        confidence = CONFIDENCE in extra_features and "quality" not in ablate
        channels = _channels(confidence=confidence or names is not None)
    features = np.column_stack([_numbers(table, name) for name in chosen])
    if set(channels) - set(_channels(confidence=True)):
        tokens = _tokens_of_sources(table, channels, lengths)
    else:
        tokens = _tokens(table, channels, longest=0 if "sequence" in ablate else longest)
    used = tuple(channels) if tokens.shape[1] else ()
    return Matrix(
        np.hstack([features, tokens.reshape(len(table), tokens.shape[1] * tokens.shape[2])]),
        n_features=len(chosen),
        n_token_channels=len(used),
        names=chosen,
        channels=used,
    )


def trusted_rows(table: pd.DataFrame, inputs: Matrix) -> np.ndarray:
    """Tell which windows can be trained on, (n,): those in which all signals are trusted.

    A signal that no window has is not counted: its columns are empty and no head uses them.
    """
    from emotion_rppg.features import kinds_of_columns
    from emotion_rppg.features.family import PULSE
    from emotion_rppg.features.trust import kind_trusted

    columns = (*inputs.names, *(token_columns(inputs.channels) if inputs.longest else ()))
    by_kind = {kind: kind_trusted(table, kind) for kind in kinds_of_columns(columns) or (PULSE,)}
    present = {kind: rows for kind, rows in by_kind.items() if rows.any()} or by_kind
    together = np.all(list(present.values()), axis=0)
    if len(present) > 1 and 2 * together.sum() < max(rows.sum() for rows in present.values()):
        shares = ", ".join(f"{kind} {rows.mean():.0%}" for kind, rows in present.items())
        _log.warning(
            "only %d of %d windows have all signals of the features (trusted: %s), and the head is "
            "fitted to these: choose families of fewer signals (--families) to use more windows",
            together.sum(),
            len(table),
            shares,
        )
    return np.asarray(together)


def _channels(*, confidence: bool) -> tuple[str, ...]:
    from emotion_rppg.features.sequences import CHANNELS

    return tuple(name for name in CHANNELS if confidence or name != "confidence")


def of_families(table: pd.DataFrame, families: Sequence[str]) -> pd.DataFrame:
    """Drop the columns of all other feature families; columns of no family stay.

    Raises
    ------
    InputError
        An unknown family, or one of which the table has no column.
    """
    from emotion_rppg.features import FAMILIES, check_families
    from emotion_rppg.features.baseline_columns import raw_name

    check_families(families)
    columns = {name: set(family.columns) for name, family in FAMILIES.items()}
    base_names = {str(c): raw_name(str(c)) for c in table.columns}
    for name in families:
        if not columns[name] & set(base_names.values()):
            raise InputError(
                f"the table has no column of the family {name!r}: extract it with --families {name}"
            )
    selected = set().union(*(columns[name] for name in families))
    dropped = set().union(*columns.values()) - selected
    return table[[c for c in table.columns if base_names[str(c)] not in dropped]]


def with_layout(head: Any, matrix: Matrix) -> Any:
    """Clone a head and set its parameters that describe the layout of the matrix.

    These are ``n_features``, ``n_token_channels`` and ``channels`` (names joined by commas), at any
    depth of a pipeline. A head without them (a dummy) is only cloned.
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
    """Bring all sequences to one length: (n, any, channels), NaN-padded -> (n, longest, channels).

    Longer sequences are cut; shorter ones are extended by reflection at their ends, back and forth.
    The number of beats, which reveals the duration of a window and its clear part, is then the same
    in all rows. A row without tokens stays NaN.
    """
    lengths = lengths_of(tokens)
    last = np.maximum(lengths - 1, 0)[:, None]
    place = np.arange(longest) % np.maximum(2 * last, 1)
    place = np.where(place > last, 2 * last - place, place)
    if not tokens.shape[1]:
        return np.full((len(tokens), longest, tokens.shape[2]), np.nan)
    return np.take_along_axis(tokens, place[:, :, None], axis=1)


def lengths_of(tokens: np.ndarray) -> np.ndarray:
    """Count the tokens of each row up to the last one with a value: (n, any, channels) -> (n,)."""
    present = np.isfinite(tokens).any(axis=2)
    return np.asarray((present * np.arange(1, present.shape[1] + 1)).max(axis=1, initial=0))


def _numbers(table: pd.DataFrame, name: str) -> np.ndarray:
    from emotion_rppg.features import column

    try:
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name!r} contains other things than numbers: {error}") from error
    definition = column(name)
    if definition is not None and definition.step is not None:
        values = definition.step * np.round(values / definition.step)
    return np.where(np.isfinite(values), values, np.nan)


def _tokens(table: pd.DataFrame, channels: Sequence[str], *, longest: int | None) -> np.ndarray:
    """Return the tokens (n, longest, channels); (n, 0, 0) if none exist or none are requested."""
    none = np.empty((len(table), 0, 0))
    if longest == 0 or not channels:
        return none
    if BEATS not in table.columns:
        if longest is None:
            return none
        raise InputError(
            f"the table has no beat sequences (columns {SEQUENCE}…), but the model was trained "
            f"with them: extract the table with the family 'sequence'{sequences_fault(table)}"
        )
    from emotion_rppg.features import sequences

    tokens = np.asarray(sequences.tokens(table), dtype=float)
    tokens = tokens[:, :, [sequences.CHANNELS.index(name) for name in channels]]
    tokens = _fill_holes(np.where(np.isfinite(tokens), tokens, np.nan))
    return tokens if longest is None else of_one_length(tokens, longest)


def _tokens_of_sources(
    table: pd.DataFrame, channels: Sequence[str], lengths: Sequence[int]
) -> np.ndarray:
    """Return the tokens of beats and sensors side by side, (n, longest, channels)."""
    from emotion_rppg.features import sensor_sequences

    groups = token_groups(channels)
    kinds = {column: kind for kind, (column, _) in sensor_sequences.COLUMN_OF.items()}
    missing = [c for c in token_columns(channels) if c not in table.columns]
    if missing:
        families = [f"{kinds[c]}_sequence" if c in kinds else "sequence" for c in missing]
        raise InputError(
            f"the table lacks the sequences {', '.join(missing)}, which the model was trained "
            f"with: extract it with the families {', '.join(families)}{sequences_fault(table)}"
        )
    parts = [
        _tokens(table, [channels[k] for k in group.channels], longest=None)
        if group.name == "beats"
        else sensor_sequences.tokens(table, kinds[SEQUENCE + group.name])
        for group in groups
    ]
    return side_by_side(parts, lengths)


def side_by_side(parts: Sequence[np.ndarray], lengths: Sequence[int] = ()) -> np.ndarray:
    """Join the tokens of several sources, (n, any, channels) each, to (n, longest, channels).

    Each source is brought to one length (`of_one_length`), so that the number of its tokens carries
    no information: that of ``lengths``, or the one that nine of ten of its windows reach. A source
    without tokens in a row is NaN there; shorter sources are padded with NaN at the end.
    """
    wanted = lengths or [_common_length(tokens) for tokens in parts]
    fixed = [of_one_length(t, length) for t, length in zip(parts, wanted, strict=True)]
    longest = max(wanted, default=0)
    padded = [
        np.pad(tokens, ((0, 0), (0, longest - tokens.shape[1]), (0, 0)), constant_values=np.nan)
        for tokens in fixed
    ]
    return np.concatenate(padded, axis=2)


def lengths_of_sources(inputs: Matrix) -> tuple[int, ...]:
    """Return the number of tokens of each source of a matrix, in the order of `token_groups`."""
    groups = token_groups(inputs.channels)
    each = (lengths_of(inputs.tokens[:, :, list(group.channels)]) for group in groups)
    return tuple(int(lengths.max(initial=0)) for lengths in each)


def _common_length(tokens: np.ndarray) -> int:
    """Return the number of tokens that nine of ten rows with tokens reach; 0 without tokens."""
    lengths = lengths_of(tokens)
    known = lengths[lengths > 0]
    return int(np.quantile(known, 1 - MIN_PRESENT, method="lower")) if len(known) else 0


def _fill_holes(tokens: np.ndarray) -> np.ndarray:
    """Fill channels that were not measured with their row's median, in place; padding stays NaN."""
    within = np.arange(tokens.shape[1]) < lengths_of(tokens)[:, None]
    hole = within[:, :, None] & np.isnan(tokens)
    rows = hole.any(axis=1) & np.isfinite(tokens).any(axis=1)
    for row, channel in np.argwhere(rows):
        values = tokens[row, :, channel]
        values[hole[row, :, channel]] = np.nanmedian(values)
    return tokens


def _check_ablation(ablate: Sequence[str]) -> None:
    if isinstance(ablate, str):
        raise InputError(f"ablate is a list of names, got {ablate!r}: write ({ablate!r},)")
    unknown = [name for name in ablate if name not in ABLATIONS]
    if unknown:
        raise InputError(f"cannot ablate {unknown[0]!r}; known: {', '.join(ABLATIONS)}")


def _listed(names: Any) -> str:
    names = list(names)
    return ", ".join(names[:6]) + (" …" if len(names) > 6 else "") if names else "no columns at all"

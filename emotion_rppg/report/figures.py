"""Figures for papers, from tables: FIGURES, name -> `FigureKind`.

Each kind reads one file that this package writes and returns a figure of a journal's width with a
caption, which counts the values that are withheld. They are missing in the figure, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.report import journal
from emotion_rppg.windows import LABEL, people

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_CONDITION_COLUMNS = ("trial", "session", "dataset")  # which --target may name beside a label
_RECORDING = ("dataset", "subject", "session", "trial", "person")
_MOST_LISTED = 6


@dataclass(frozen=True)
class FigureOptions:
    """Options of a figure. None: the default of its kind.

    Parameters
    ----------
    target, coding, order : str
        Of ``conditions``: label (or ``trial``, ``session``) whose values are the conditions, how
        ratings become classes, and the conditions in their order, separated by commas.
    source, channel : str
        Of ``tachogram``: signal and channel to read of a file with several.
    start_s, seconds : float
        Of ``tachogram``: part of the recording.
    recording : str
        Of ``circumplex``: one recording of a table with several, as dataset/subject/session/trial.
    """

    target: str | None = None
    coding: str | None = None
    order: str | None = None
    source: str | None = None
    channel: str | None = None
    start_s: float | None = None
    seconds: float | None = None
    recording: str | None = None


@dataclass(frozen=True)
class FigureKind:
    """A figure: what it shows, the file it is made from, and the options that it takes."""

    name: str
    shows: str
    file: str
    draw: Callable[[Path, FigureOptions, float], tuple[Figure, str]]
    options: tuple[str, ...] = ()


def write_figure(
    kind: str, file: str | Path, out: str | Path, *, width: str = "single", **options: Any
) -> str:
    """Draw a figure of a file of this package, write it as SVG, PDF or PNG, return its caption.

    Parameters
    ----------
    kind : str
        A name in ``FIGURES``.
    file : path
        Feature table, signal file, prediction.csv or curves, by the kind.
    out : path
        File to write; its ending (.svg, .pdf, .png) is the format. PNG has 300 dots per inch.
    width : str
        ``single`` (85 mm), ``double`` (180 mm) or millimetres.
    **options
        Fields of `FigureOptions` that the kind takes.

    Raises
    ------
    InputError
        Unknown kind, ending, width or option; a file without the values that are drawn.
    """
    out, width_mm = journal.check_ending(Path(out)), journal.width_mm(width)
    chosen = _kind(kind)
    given = {name: value for name, value in options.items() if value is not None}
    foreign = sorted(set(given) - set(chosen.options))
    if foreign:
        raise InputError(
            f"{kind} takes no {', '.join(foreign)}; its options are "
            f"{', '.join(chosen.options) or 'none'}"
        )
    with journal.style():
        figure, caption = chosen.draw(Path(file), FigureOptions(**given), width_mm)
        journal.add_caption(figure, caption)
    journal.save(figure, out)
    return caption


def _kind(name: str) -> FigureKind:
    if name not in FIGURES:
        known = "; ".join(f"{kind.name} (of {kind.file})" for kind in FIGURES.values())
        raise InputError(f"unknown figure {name!r}; known: {known}")
    return FIGURES[name]


def conditions(file: Path, options: FigureOptions, width_mm: float) -> tuple[Figure, str]:
    """Draw heart rate and RMSSD of each person by condition, with mean and interval over people."""
    from emotion_rppg.evaluation.effects import means_of_people
    from emotion_rppg.evaluation.statistics import BOOTSTRAP_DRAWS
    from emotion_rppg.report.plots.conditions import plot_conditions
    from emotion_rppg.report.sections.heart import FEATURES
    from emotion_rppg.runtime.tables import read_table

    table = read_table(file)
    codes, names = _conditions(table, options)
    present = [f for f in FEATURES if f in table and table[f].notna().any()]
    if not present:
        raise InputError(f"{file} has no heart rate or RMSSD: want a table of `features`")
    labelled = np.isfinite(codes)
    means, missing = {}, []
    for feature in present:
        name, unit, _ = FEATURES[feature]
        values = table[feature].to_numpy(dtype=float, na_value=np.nan)
        of_people = means_of_people(values, codes, people(table).to_numpy())
        of_people = of_people.reindex(columns=[float(k) for k in range(len(names))])
        of_people.columns = list(names)
        means[f"{name} ({unit})"] = of_people
        missing.append(f"{name} in {int((labelled & ~np.isfinite(values)).sum())}")
    size = journal.size_in(width_mm, height_per_width=0.62 if width_mm < 120 else 0.42)
    caption = (
        f"Grey: means of {people(table)[labelled].nunique()} people. Diamond: mean over people; "
        f"bar: 95 % interval (bootstrap, {BOOTSTRAP_DRAWS} draws of people). Withheld: "
        f"{', '.join(missing)} of {int(labelled.sum())} windows."
    )
    return plot_conditions(means, names, size_in=size), caption


def _conditions(table: pd.DataFrame, options: FigureOptions) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the number of each window's condition, (n,), NaN without one, and their names."""
    from emotion_rppg.emotion.tasks import Task, code
    from emotion_rppg.report.sections.labels import shown_names

    target = _target(table, options.target)
    if LABEL + target in table:
        task = Task(target, options.coding or _coding(table, target))
        codes, names = code(table, task), shown_names(table, task)
        if not names:
            raise InputError(
                f"{target} is a number, not a condition: give --coding midpoint or fixed(x)"
            )
    else:
        names = tuple(sorted(set(table[target].astype(str))))
        codes = table[target].astype(str).map({n: float(k) for k, n in enumerate(names)}).to_numpy()
    return _ordered(codes, names, options.order)


def _coding(table: pd.DataFrame, target: str) -> str:
    """Choose a coding: text as it is, numbers by the midpoint of their scale."""
    from pandas.api.types import is_numeric_dtype

    return "midpoint" if is_numeric_dtype(table[LABEL + target]) else "as_is"


def _target(table: pd.DataFrame, target: str | None) -> str:
    """Return the label or column of the conditions; the only label by default."""
    labels = [str(c).removeprefix(LABEL) for c in table if str(c).startswith(LABEL)]
    columns = [name for name in _CONDITION_COLUMNS if name in table]
    if target is None and len(labels) == 1:
        return labels[0]
    if target is None or target not in (*labels, *columns):
        wrong = "no target given" if target is None else f"unknown target {target!r}"
        raise InputError(f"{wrong}: --target is one of {', '.join((*labels, *columns))}")
    return target


def _ordered(
    codes: np.ndarray, names: tuple[str, ...], order: str | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Renumber the conditions in a given order; conditions that it omits are not drawn."""
    if order is None:
        return codes, names
    wanted = tuple(name.strip() for name in order.split(","))
    unknown = [name for name in wanted if name not in names]
    if unknown or len(set(wanted)) < len(wanted):
        raise InputError(
            f"--order {order}: want some of {', '.join(names)}, each once, separated by commas"
        )
    numbers = {float(names.index(name)): float(k) for k, name in enumerate(wanted)}
    return np.array([numbers.get(code, np.nan) for code in codes]), wanted


def tachogram(file: Path, options: FigureOptions, width_mm: float) -> tuple[Figure, str]:
    """Draw the inter-beat intervals of a signal file, with gaps and marked beats."""
    from emotion_rppg.report.plots.tachogram import caption_of, plot_beats_and_gaps
    from emotion_rppg.study.acquisition import Reading, as_recordings
    from emotion_rppg.study.corrections import beats_with_edits

    source = options.source or "auto"
    found = as_recordings(file, channel=options.channel, kind=source)
    if len(found) != 1:
        raise InputError(f"{file} has {len(found)} recordings: give one signal file")
    reading = Reading(source=source)
    own = beats_with_edits(found[0], reading.pulse(found[0]), reading, edits=True)
    beats = own.beats
    start, end = beats.span_s or (0.0, 0.0)
    first = start if options.start_s is None else options.start_s
    last = end if options.seconds is None else first + options.seconds
    if not last > first or first >= end or last <= start:
        raise InputError(
            f"nothing from {first:g} to {last:g} s: {file} is from {start:.1f} to {end:.1f} s"
        )
    part = beats.crop(first, last)
    size = journal.size_in(width_mm, height_per_width=0.6 if width_mm < 120 else 0.35)
    by_hand = " Beats were corrected by a person." if own.corrected is not None else ""
    return plot_beats_and_gaps(part, size_in=size), caption_of(part) + by_hand


def circumplex(file: Path, options: FigureOptions, width_mm: float) -> tuple[Figure, str]:
    """Draw predicted arousal and valence over time, from the table that `predict` writes."""
    from emotion_rppg.report.plots.circumplex import abstained, plot_plane, track_of
    from emotion_rppg.runtime.tables import read_table

    rows = _recording(read_table(file), options.recording)
    valence, arousal = track_of(rows, "valence"), track_of(rows, "arousal")
    if not np.isfinite(valence.values + arousal.values).any():
        raise InputError(f"all {len(rows)} windows are withheld: there is nothing to draw")
    size = journal.size_in(width_mm, height_per_width=0.95)
    withheld = abstained(rows) if "reason" in rows else ""
    caption = "One dot per window, later ones darker; start times of the first and the last. "
    caption += f"Withheld: {withheld or f'none of {len(rows)} windows'}."
    start_s = rows["start_s"].to_numpy(dtype=float)
    return plot_plane(valence, arousal, start_s, size_in=size), caption


def _recording(rows: pd.DataFrame, name: str | None) -> pd.DataFrame:
    """Select the rows of one recording, sorted by time."""
    keys = [key for key in _RECORDING if key in rows]
    names = (
        rows[keys].astype(str).agg("/".join, axis=1) if keys else rows["start_s"].map(lambda _: "")
    )
    known = list(dict.fromkeys(names))
    if name is None and len(known) > 1:
        some = ", ".join(known[:_MOST_LISTED]) + (" …" if len(known) > _MOST_LISTED else "")
        raise InputError(f"{len(known)} recordings: choose one with --recording, such as {some}")
    if name is not None and name not in known:
        raise InputError(f"no recording {name!r}; the table has {', '.join(known[:_MOST_LISTED])}")
    chosen = rows[names == (known[0] if name is None else name)]
    return chosen.sort_values("start_s").reset_index(drop=True)


def event_curves(file: Path, options: FigureOptions, width_mm: float) -> tuple[Figure, str]:
    """Draw event-locked changes of the heart rate, from a table of curves."""
    from emotion_rppg.report.plots.event_curves import plot
    from emotion_rppg.study.event_curves import COLUMNS, PEOPLE, read_curves

    del options
    curves = read_curves(file)
    size = journal.size_in(width_mm, height_per_width=0.7 if width_mm < 120 else 0.4)
    figure = plot(curves, size_in=size)
    by = next(str(name) for name in curves if name not in COLUMNS)
    mean = curves[curves["level"] == PEOPLE].groupby(by, sort=False)["n_withheld"].max()
    counts = ", ".join(f"{int(n)} ({kind})" for kind, n in mean.items())
    caption = "Line: mean over people; band: 95 % interval; thin lines: people."
    return figure, f"{caption} Withheld events: {counts}."


FIGURES: Mapping[str, FigureKind] = {
    "conditions": FigureKind(
        "conditions",
        "heart rate and RMSSD by condition",
        "a feature table",
        conditions,
        ("target", "coding", "order"),
    ),
    "tachogram": FigureKind(
        "tachogram",
        "inter-beat intervals with beats and gaps",
        "a wave.csv or another signal file",
        tachogram,
        ("source", "channel", "start_s", "seconds"),
    ),
    "circumplex": FigureKind(
        "circumplex",
        "arousal and valence over time",
        "a prediction.csv",
        circumplex,
        ("recording",),
    ),
    "event-curves": FigureKind(
        "event-curves",
        "event-locked change of the heart rate",
        "a table of curves",
        event_curves,
    ),
}

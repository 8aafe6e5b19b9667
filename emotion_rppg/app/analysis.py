"""What the page tells of one video: figures, table, files; and the wave while it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.hrv.measures import COLUMNS
from emotion_rppg.features.trust import beats_of
from emotion_rppg.pulse.estimate import Preview
from emotion_rppg.recordings import Video
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.report.plots import signals
from emotion_rppg.report.plots.circumplex import abstained, over_time, plane
from emotion_rppg.runtime.tables import write_table, write_wave
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.study import Progress, Reading, as_recordings, features_of, read_like
from emotion_rppg.video.frames import describe
from emotion_rppg.windows import trusted

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.model import Model

SHOWN = ("hr_bpm", "mean_nn_ms", "sdnn_ms", "rmssd_ms", "pnn50_pct", "lf_ms2", "hf_ms2")
LONGEST_S = 600.0
DRAWN_S = 30.0  # of the wave


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows of one video, and the files it offers."""

    text: str
    wave: Figure
    tachogram: Figure | None = None
    hrv: pd.DataFrame | None = None
    emotion: Figure | None = None
    plane: Figure | None = None
    files: list[str] | None = None


def growing(wave: Signal) -> Shown:
    """The last half minute of a wave that is still being read."""
    recent = wave.crop(max(wave.start_s, wave.end_s - DRAWN_S), wave.end_s)
    drawn = signals.waves({"rppg": recent}, seconds=DRAWN_S)
    return Shown(f"### reading: {wave.end_s:.0f} s so far", drawn)


def analyse(
    path: str | Path,
    folder: Path,
    *,
    method: str = "pos",
    model: Model | None = None,
    rest: str | Path | None = None,
    progress: Progress | None = None,
    seen: Preview | None = None,
) -> Shown:
    """Read one video and write its files into ``folder``.

    ``rest`` is the same person at rest, for a model that compares people with their own.

    Raises
    ------
    InputError
        No readable video, no face, or longer than ten minutes; no rest where the model needs it.
    """
    video, calm = _checked(path), None if rest is None else _checked(rest)
    how = Reading(method=method)
    if model is None:
        wave, predicted = how.wave(as_recordings(video)[0], progress, seen), None
    else:
        needed = model.calibration_s is not None
        if needed and calm is None:
            raise InputError("the model compares people with their own rest: give a video of it")
        table, wave = read_like(model, video, progress=progress, preview=seen)
        quiet = read_like(model, calm)[0] if needed and calm is not None else None
        predicted = model.predict(table, rest=quiet)
    whole = Extraction(length_s=None, families=("hrv",))
    row = features_of(as_recordings(video)[0], wave, how, whole)
    return _written(folder, wave, row, predicted, model)


def _checked(path: str | Path) -> Video:
    length_s = describe(path).duration_s
    if length_s is not None and length_s > LONGEST_S:
        raise InputError(
            f"the video has {length_s:.0f} s: this page takes {LONGEST_S:g} s at most; "
            "use `emotion-rppg features` for longer ones"
        )
    return Video(Path(path), end_s=LONGEST_S)  # a webcam's file may not tell its length


def _written(
    folder: Path,
    wave: Signal,
    row: pd.DataFrame,
    predicted: pd.DataFrame | None,
    model: Model | None,
) -> Shown:
    beats = beats_of(wave)
    shown = {"rppg": wave}
    drawn = signals.waves(shown, beats={"rppg": beats}, seconds=min(wave.duration_s, DRAWN_S))
    intervals, hrv = signals.tachogram({"rppg": beats}), _hrv(row, wave)
    said, told = _said(wave, beats), trained(model)
    sections = [
        Section("Pulse", [said], [(drawn, "Wave, beats, quality."), (intervals, "Intervals.")]),
        Section("Heart-rate variability", table=hrv),
    ]
    files = [
        write_table(row, folder / "features.csv"),
        write_table(row, folder / "features.parquet"),
        write_wave(wave, folder / "wave.csv"),
    ]
    emotion = on_plane = None
    if predicted is not None and model is not None:
        emotion, on_plane = over_time(predicted, model), plane(predicted, model)
        drawings = [(emotion, "Over time.")] + ([(on_plane, "Windows.")] if on_plane else [])
        told = f"{told} {abstained(predicted)}".strip()
        sections.append(Section("Prediction", [told], drawings))
        files.append(write_table(predicted, folder / "prediction.csv"))
    page = Page("One recording", "Not a diagnosis, not a fact about a person.", sections)
    files.append(write_page(page, folder / "report.html"))
    text = f"### {said}\n\n{told}"
    return Shown(text, drawn, intervals, hrv, emotion, on_plane, [str(file) for file in files])


def _said(wave: Signal, beats: Beats) -> str:
    verdict = estimate_heart_rate(wave, beats)
    rate = "heart rate withheld" if verdict.hr_bpm is None else f"{verdict.hr_bpm:.1f} bpm"
    why = f" · {verdict.reason}" if verdict.reason else ""
    return f"{rate} · quality {verdict.quality:.2f} · face seen {wave.coverage:.0%}{why}"


def _hrv(row: pd.DataFrame, wave: Signal) -> pd.DataFrame:
    """The shown features: a value, or why there is none."""
    import pandas as pd

    values = [_value(row, name, wave.duration_s) for name in SHOWN]
    units = [COLUMNS[name].unit for name in SHOWN]
    meaning = [COLUMNS[name].definition for name in SHOWN]
    return pd.DataFrame({"feature": SHOWN, "value": values, "unit": units, "what": meaning})


def _value(row: pd.DataFrame, name: str, duration_s: float) -> str:
    value, minimum_s = row[name].iloc[0], COLUMNS[name].minimum_s
    if value == value:
        return f"{value:.1f}"
    if not trusted(row)[0]:
        return "withheld: no clear pulse"
    if duration_s < minimum_s:
        return f"too short yet: {minimum_s:g} s wanted"
    return "withheld: gaps, few beats, or too uncertain"


def trained(model: Model | None) -> str:
    """Whom the model learned from."""
    if model is None:
        return "No emotion model was given: start with `emotion-rppg app --model DIR`."
    people = "; ".join(f"{len(who)} people of {name}" for name, who in model.trained_on.items())
    return f"The emotion model learned from {people}. {model.note}"

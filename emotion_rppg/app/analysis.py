"""Analyse one video for the web page: figures, table and files; and the wave so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import DEFAULT_METHOD, Extraction
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.hrv.measures import COLUMNS
from emotion_rppg.features.trust import beats_of
from emotion_rppg.pulse.estimate import Preview
from emotion_rppg.recordings import Video
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.report.plots import signals
from emotion_rppg.report.plots.circumplex import abstained, plane, plot_over_time
from emotion_rppg.runtime.tables import write_table, write_wave
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.study import Progress, Reading, as_recordings, features_of, read_like
from emotion_rppg.video.frames import describe_video
from emotion_rppg.windows import OK, trusted

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.model import Model

FEATURES = ("hr_bpm", "mean_nn_ms", "sdnn_ms", "rmssd_ms", "pnn50_pct", "lf_ms2", "hf_ms2")
LONGEST_S = 600.0  # of a video
DRAWN_S = 30.0  # of its wave


@dataclass(frozen=True, eq=False)
class PageContent:
    """Hold the text, figures, tables and file paths that the page shows for one video."""

    text: str
    wave: Figure
    tachogram: Figure | None = None
    hrv: pd.DataFrame | None = None
    emotion: Figure | None = None
    plane: Figure | None = None
    files: list[str] | None = None


def preview_content(wave: Signal) -> PageContent:
    """Draw the last 30 s of a wave that is still being read."""
    recent = wave.crop(max(wave.start_s, wave.end_s - DRAWN_S), wave.end_s)
    figure = signals.plot_waves({"rppg": recent}, seconds=DRAWN_S)
    return PageContent(f"### reading: {wave.end_s:.0f} s so far", figure)


def analyse(
    path: str | Path,
    folder: Path,
    *,
    method: str = DEFAULT_METHOD,
    model: Model | None = None,
    rest: str | Path | None = None,
    progress: Progress | None = None,
    preview: Preview | None = None,
) -> PageContent:
    """Read one video and write its files into ``folder``.

    ``rest`` is a video of the same person at rest, for a model that compares people with their own
    rest.

    Raises
    ------
    InputError
        The video cannot be read, has no face or is longer than ten minutes; or the model needs a
        video of rest and there is none.
    """
    video, rest_video = _checked(path), None if rest is None else _checked(rest)
    reading = Reading(method=method)
    if model is None:
        wave, predicted = reading.wave(as_recordings(video)[0], progress, preview), None
    else:
        needed = model.calibration_s is not None
        if needed and rest_video is None:
            raise InputError("the model compares people with their own rest: give a video of it")
        table, pulse = read_like(model, video, progress=progress, preview=preview)
        assert isinstance(pulse, Signal)  # of a video
        wave = pulse
        at_rest = read_like(model, rest_video)[0] if needed and rest_video is not None else None
        predicted = model.predict(table, rest=at_rest)
    one_row = Extraction(length_s=None, families=("hrv",))
    row = features_of(as_recordings(video)[0], wave, reading, one_row)
    return _write_results(folder, wave, row, predicted, model)


def _checked(path: str | Path) -> Video:
    """Refuse a video that is too long for the page."""
    length_s = describe_video(path).duration_s
    if length_s is not None and length_s > LONGEST_S:
        raise InputError(
            f"the video has {length_s:.0f} s: this page takes {LONGEST_S:g} s at most; "
            "use `emotion-rppg features` for longer videos"
        )
    return Video(Path(path), end_s=LONGEST_S)  # the length of a webcam's file can be unknown


def _write_results(
    folder: Path,
    wave: Signal,
    row: pd.DataFrame,
    predicted: pd.DataFrame | None,
    model: Model | None,
) -> PageContent:
    """Draw the figures and write the files of the page."""
    beats = beats_of(wave)
    seconds = min(wave.duration_s, DRAWN_S)
    wave_figure = signals.plot_waves({"rppg": wave}, beats={"rppg": beats}, seconds=seconds)
    intervals, hrv = signals.plot_tachogram({"rppg": beats}), _hrv(row, wave)
    pulse, note = _pulse_summary(wave, beats), training_note(model)
    sections = [
        Section(
            "Pulse",
            [pulse],
            [(wave_figure, "Wave, beats, quality."), (intervals, "Inter-beat intervals.")],
        ),
        Section("Heart-rate variability", table=hrv),
    ]
    files = [
        write_table(row, folder / "features.csv"),
        write_table(row, folder / "features.parquet"),
        write_wave(wave, folder / "wave.csv"),
    ]
    emotion = circumplex = None
    if predicted is not None and model is not None:
        emotion, circumplex = plot_over_time(predicted, model), plane(predicted, model)
        figures = [(emotion, "Predictions over time.")]
        figures += [(circumplex, "Each window's arousal and valence.")] if circumplex else []
        note = f"{note} {abstained(predicted)}".strip()
        sections.append(Section("Prediction", [note], figures))
        files.append(write_table(predicted, folder / "prediction.csv"))
    reason = str(row["reason"].iloc[0]) if "reason" in row else OK
    closing = f"Withheld features: {'none' if reason == OK else reason}."
    page = Page("One recording", "An estimate; not a diagnosis.", sections, closing)
    files.append(write_page(page, folder / "report.html"))
    text = f"### {pulse}\n\n{note}"
    paths = [str(file) for file in files]
    return PageContent(text, wave_figure, intervals, hrv, emotion, circumplex, paths)


def _pulse_summary(wave: Signal, beats: Beats) -> str:
    """State heart rate (bpm), quality and face coverage in one line."""
    estimate = estimate_heart_rate(wave, beats)
    rate = "heart rate withheld" if estimate.hr_bpm is None else f"{estimate.hr_bpm:.1f} bpm"
    reason = f" · {estimate.reason}" if estimate.reason else ""
    return f"{rate} · quality {estimate.quality:.2f} · face detected {wave.coverage:.0%}{reason}"


def _hrv(row: pd.DataFrame, wave: Signal) -> pd.DataFrame:
    """List the features of the page: value or why it is missing, unit and definition."""
    import pandas as pd

    values = [_value(row, name, wave.duration_s) for name in FEATURES]
    units = [COLUMNS[name].unit for name in FEATURES]
    definitions = [COLUMNS[name].definition for name in FEATURES]
    return pd.DataFrame(
        {"feature": FEATURES, "value": values, "unit": units, "definition": definitions}
    )


def _value(row: pd.DataFrame, name: str, duration_s: float) -> str:
    value, minimum_s = row[name].iloc[0], COLUMNS[name].minimum_s
    if value == value:
        return f"{value:.1f}"
    if not trusted(row)[0]:
        return "withheld: no clear pulse"
    if duration_s < minimum_s:
        return f"too short: needs {minimum_s:g} s"
    return "withheld: gaps, few beats, or too uncertain"


def training_note(model: Model | None) -> str:
    """State how many people of which data sets the model was trained on."""
    if model is None:
        return "For predictions of emotion, start with `emotion-rppg app --model DIR`."
    people = "; ".join(f"{len(who)} people of {name}" for name, who in model.trained_on.items())
    return f"The emotion model was trained on {people}. {model.note}"

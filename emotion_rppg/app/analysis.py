"""Analyse one video or file of a sensor for the web page: sections to show, and files to download.

The sections are those of the report that is downloaded, so that both have the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from emotion_rppg.app.picture import picture_of
from emotion_rppg.datasets.folder import VIDEOS
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import DEFAULT_METHOD, EVERYBODY, Extraction
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.hrv.measures import COLUMNS
from emotion_rppg.features.trust import beats_of, wave_of
from emotion_rppg.pulse.estimate import Preview
from emotion_rppg.pulse.person_wave import PersonWave
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.report.plots import signals
from emotion_rppg.report.plots.circumplex import abstained
from emotion_rppg.report.sections.one_recording import (
    DRAWN_S,
    interval_figures,
    length_in_words,
    prediction_figures,
    prediction_in_words,
    pulse_in_words,
    span_in_words,
    wave_figure,
)
from emotion_rppg.runtime.tables import write_intervals, write_table, write_wave
from emotion_rppg.signals import Beats, Pulse, Signal
from emotion_rppg.study import Progress, Reading, as_recordings, read_like
from emotion_rppg.study.feature_rows import features_of_all
from emotion_rppg.study.replay import read_people_like
from emotion_rppg.video.frames import describe_video
from emotion_rppg.windows import OK, PERSON, trusted

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.model import Model

FEATURES = ("hr_bpm", "mean_nn_ms", "sdnn_ms", "rmssd_ms", "pnn50_pct", "lf_ms2", "hf_ms2")
LONGEST_S = 600.0  # of a video
LONGEST_FILE_S = 4 * 3600.0  # of a file of a sensor
UPLOADED = "uploaded"  # data set of the tables, in place of the name of a temporary folder


@dataclass(frozen=True, eq=False)
class PersonContent:
    """Hold what the tabs show for one person; ``name`` is empty if there is only one."""

    pulse: Section
    hrv: Section | None = None
    emotion: Section | None = None
    name: str = ""
    summary: str = ""


@dataclass(frozen=True, eq=False)
class PageContent:
    """Hold the summary, the sections of each person and the file paths that the page shows."""

    text: str
    people: Sequence[PersonContent] = ()
    files: list[str] | None = None
    picture: str = ""  # HTML of a frame with everybody's number, which no file has


@dataclass(frozen=True, eq=False)
class _Read:
    """Pulses of a recording, one for each person, with their rows of features and predictions."""

    pulses: Sequence[Pulse]
    features: pd.DataFrame
    predicted: pd.DataFrame | None
    model: Model | None

    def number(self, index: int) -> str:
        """Number the person for titles and file names; empty if there is only one."""
        return str(index + 1) if isinstance(self.pulses[index], PersonWave) else ""


def preview_content(wave: Signal) -> PageContent:
    """Draw the last 30 s of a wave that is still being read."""
    recent = wave.crop(max(wave.start_s, wave.end_s - DRAWN_S), wave.end_s)
    figure = signals.plot_waves({"rppg": recent}, seconds=DRAWN_S)
    pulse = Section("Pulse", figures=[(figure, "The last 30 s of the wave so far.")])
    return PageContent(f"reading: {wave.end_s:.0f} s so far", [PersonContent(pulse)])


def analyse(
    path: str | Path,
    folder: Path,
    *,
    method: str = DEFAULT_METHOD,
    channel: str | None = None,
    source: str = "auto",
    everybody: bool = False,
    model: Model | None = None,
    rest: str | Path | None = None,
    progress: Progress | None = None,
    preview: Preview | None = None,
) -> PageContent:
    """Read a video, or a file with a pulse wave or intervals; write its files into ``folder``.

    ``channel`` names the column or channel of a file with several, and ``source`` its kind of
    signal where the file does not show it (``"rr"`` for a list of intervals). With ``everybody``
    each person in a video has results. ``rest`` is a recording of the same person at rest, for a
    model that compares people with their own rest.

    Raises
    ------
    InputError
        The recording cannot be read, has no face or no pulse, or is longer than ten minutes (a
        video) or four hours (a file); or the model needs a recording of rest and there is none, or
        there are several people.
    """
    recording = _checked(path, channel, source)
    at_rest = None if rest is None else _checked(rest)
    if recording.video is not None:
        source = "auto"
    reading = Reading(method=method, source=source, face=EVERYBODY if everybody else None)
    reading.kind(recording)
    if model is None:
        pulses, predicted = reading.pulses(recording, progress, preview), None
    else:
        rest_rows = _rows_of_rest(model, at_rest, everybody)
        if reading.reads_people(recording):
            rows, pulses = read_people_like(model, recording, face=EVERYBODY, progress=progress)
        else:
            rows, pulse = read_like(model, recording, progress=progress, preview=preview)
            pulses = [pulse]
        predicted = model.predict(rows, rest=rest_rows)
    longest_s = max(pulse.duration_s for pulse in pulses)
    if longest_s > LONGEST_FILE_S:
        raise _too_long(longest_s, LONGEST_FILE_S)
    one_row = Extraction(length_s=None, families=("hrv",))
    features = features_of_all(recording, pulses, reading, one_row)
    content = _write_results(folder, _Read(pulses, features, predicted, model))
    waves = [pulse for pulse in pulses if isinstance(pulse, PersonWave)]
    return replace(content, picture=picture_of(Path(path), waves)) if waves else content


def _rows_of_rest(model: Model, rest: Recording | None, everybody: bool) -> pd.DataFrame | None:
    """Read the recording of rest, if the model needs one."""
    if model.calibration_s is None:
        return None
    if rest is None:
        raise InputError("the model compares people with their own rest: give a recording of it")
    if everybody:
        raise InputError(
            "the model compares people with their own rest, and a recording of rest is of one "
            "person: do not tick “everybody in the picture”"
        )
    return read_like(model, rest)[0]


def _checked(path: str | Path, channel: str | None = None, source: str = "auto") -> Recording:
    """Open a recording, as one of the data set "uploaded"; refuse a video that is too long."""
    path = Path(path)
    if path.suffix.lower() not in VIDEOS:
        (recording,) = as_recordings(path, channel=channel or None, kind=source)
        return replace(recording, dataset=UPLOADED)
    if channel:
        raise InputError(f"a video has no channel {channel!r}: leave that field empty")
    length_s = describe_video(path).duration_s
    if length_s is not None and length_s > LONGEST_S:
        raise _too_long(length_s, LONGEST_S)
    video = Video(path, end_s=LONGEST_S)  # the length of a webcam's file can be unknown
    return replace(as_recordings(video)[0], dataset=UPLOADED)


def _too_long(length_s: float, longest_s: float) -> InputError:
    return InputError(
        f"the recording has {length_s:.0f} s: this page takes {longest_s:g} s at most; "
        "use `emotion-rppg features` for longer ones"
    )


def _write_results(folder: Path, read: _Read) -> PageContent:
    """Make the sections and write the files of the page."""
    row, files = read.features, []
    files.append(write_table(row, folder / "features.csv"))
    files.append(write_table(row, folder / "features.parquet"))
    people = []
    for index, pulse in enumerate(read.pulses):
        number, beats = read.number(index), beats_of(pulse)
        suffix, wave = f"_{number}" if number else "", wave_of(pulse)
        if wave is None:
            files.append(write_intervals(beats, folder / f"intervals{suffix}.csv"))
        else:
            files.append(write_wave(wave, folder / f"wave{suffix}.csv"))
        people.append(_content(read, index, beats))
    if read.predicted is not None:
        files.append(write_table(read.predicted, folder / "prediction.csv"))
    sections = [s for one in people for s in (one.pulse, one.hrv, one.emotion) if s is not None]
    withheld = [reason for reason in row.get("reason", [OK]) if reason != OK]
    closing = f"Withheld features: {'; '.join(dict.fromkeys(withheld)) or 'none'}."
    page = Page("One recording", "An estimate; not a diagnosis.", sections, closing)
    files.append(write_page(page, folder / "report.html"))
    several = f"{len(people)} people in the video"
    text = people[0].summary if len(people) == 1 else several
    return PageContent(text, people, [str(file) for file in files])


def _content(read: _Read, index: int, beats: Beats) -> PersonContent:
    """Make the sections of one person."""
    pulse, number = read.pulses[index], read.number(index)
    wave, name, whose = wave_of(pulse), pulse.kind or "pulse", f" of person {number}"
    estimate = estimate_heart_rate(pulse if wave is None else wave, beats)
    words = pulse_in_words(estimate.hr_bpm, estimate.quality, estimate.reason, pulse)
    place = [f"{pulse.place[0].upper()}{pulse.place[1:]}."] if isinstance(pulse, PersonWave) else []
    whose = whose if number else ""
    figures = [] if wave is None else [wave_figure(wave, beats)]
    rate = "heart rate withheld" if estimate.hr_bpm is None else f"{estimate.hr_bpm:.1f} bpm"
    seen = f"face detected {pulse.coverage:.0%}" if name == "rppg" else f"{name}, "
    seen += "" if name == "rppg" else length_in_words(pulse, digits=0)
    reason = f" · {estimate.reason}" if estimate.reason else ""
    return PersonContent(
        Section(f"Pulse{whose}", [*place, words], [*figures, *interval_figures(name, beats)]),
        _hrv(read.features.iloc[[index]], pulse.duration_s, whose),
        _emotion(read, pulse, number, whose),
        f"person {number}: {pulse.place}" if isinstance(pulse, PersonWave) else "",
        f"{rate} · quality {estimate.quality:.2f} · {seen}{reason}",
    )


def _hrv(row: pd.DataFrame, duration_s: float, whose: str) -> Section:
    """List the features of the page: value or why it is missing, unit and definition."""
    import pandas as pd

    table = pd.DataFrame(
        {
            "feature": FEATURES,
            "value": [_value(row, name, duration_s) for name in FEATURES],
            "unit": [COLUMNS[name].unit for name in FEATURES],
            "definition": [COLUMNS[name].definition for name in FEATURES],
        }
    )
    caption = (
        f"Heart rate and its variability over the {duration_s:.0f} s of the recording. A value is "
        "withheld where the signal does not support it."
    )
    return Section(f"Heart-rate variability{whose}", table=table, table_caption=caption)


def _value(row: pd.DataFrame, name: str, duration_s: float) -> str:
    value, minimum_s = row[name].iloc[0], COLUMNS[name].minimum_s
    if value == value:
        return f"{value:.1f}"
    reason = str(row["reason"].iloc[0]) if "reason" in row else OK
    if not trusted(row)[0]:
        return f"withheld: {'no clear pulse' if reason == OK else reason}"
    if duration_s < minimum_s:
        return f"too short: needs {minimum_s:g} s"
    return "withheld: gaps or too few beats" if reason == OK else reason


def _emotion(read: _Read, pulse: Pulse, number: str, whose: str) -> Section | None:
    """State and draw the predictions of one person, with the reason for each withheld one."""
    import pandas as pd

    if read.predicted is None or read.model is None:
        return None
    model, rows = read.model, read.predicted
    if number:
        rows = rows[rows[PERSON] == int(number)].reset_index(drop=True)
    records = rows.to_dict("records")
    table = pd.DataFrame(
        {
            "window": [span_in_words(row) for row in records],
            "prediction": [prediction_in_words(row, model) for row in records],
        }
    )
    text = [*model.codings.values(), abstained(rows), training_note(model)]
    notes = [note for note in (model.note, model.shift(pulse.kind or "")) if note]
    return Section(
        f"Prediction{whose}",
        [line for line in text if line],
        prediction_figures(rows, model),
        table,
        "One row per window: its prediction, or why there is none.",
        warning=" ".join(notes),
    )


def training_note(model: Model) -> str:
    """State how many people of which data sets the model was trained on."""
    people = "; ".join(f"{len(who)} people of {name}" for name, who in model.trained_on.items())
    return f"The emotion model was trained on {people}."

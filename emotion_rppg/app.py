"""The web page on this machine: a face video in; wave, beats, HRV and downloads out.

Served on 127.0.0.1 alone. What is uploaded lies in a temporary folder that goes with the server.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.hrv import COLUMNS
from emotion_rppg.quality import judge
from emotion_rppg.recordings import Video
from emotion_rppg.report import figures
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.signals import Signal
from emotion_rppg.study import Progress, Reading, as_recordings, features_of, load, read_like
from emotion_rppg.tables import write_table, write_wave
from emotion_rppg.video.frames import describe

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.model import Model

METHODS = ("pos", "chrom", "green", "physnet")
SHOWN = ("hr_bpm", "mean_nn_ms", "sdnn_ms", "rmssd_ms", "pnn50_pct", "lf_ms2", "hf_ms2")
LONGEST_S, LARGEST, AT_ONCE, WAITING = 600.0, "500mb", 2, 20
KEPT_S = 1800  # for uploads and results of a page that stays open


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows of one video, and the files it offers."""

    text: str
    wave: Figure
    tachogram: Figure
    hrv: pd.DataFrame
    emotion: Figure
    files: list[str]


def analyse(
    path: str | Path,
    folder: Path,
    *,
    method: str = "pos",
    model: Model | None = None,
    progress: Progress | None = None,
) -> Shown:
    """Read one video and write its files into ``folder``.

    Raises
    ------
    InputError
        No readable video, no face, or longer than ten minutes.
    """
    length_s = describe(path).duration_s
    if length_s is not None and length_s > LONGEST_S:
        raise InputError(
            f"the video has {length_s:.0f} s: this page takes {LONGEST_S:g} s at most; "
            "use `emotion-rppg features` for longer ones"
        )
    video = Video(Path(path), end_s=LONGEST_S)  # a webcam's file may not tell its length
    recording = as_recordings(video)[0]
    how = Reading(method=method)
    if model is None:
        wave, predicted = how.wave(recording, progress), None
    else:
        table, wave = read_like(model, video, progress=progress)
        predicted = model.predict(table)
    row = features_of(recording, wave, how, None, None, ("hrv",))
    return _written(folder, wave, row, predicted, model)


def _written(
    folder: Path,
    wave: Signal,
    row: pd.DataFrame,
    predicted: pd.DataFrame | None,
    model: Model | None,
) -> Shown:
    beats = find_beats(wave)
    drawn = figures.waves({"rppg": wave}, beats={"rppg": beats}, seconds=min(wave.duration_s, 30.0))
    intervals, hrv = figures.tachogram({"rppg": beats}), _hrv(row, wave)
    emotion, said = _over_time(predicted, model), _said(wave)
    told = _trained(model)
    sections = [
        Section("Pulse", [said], [(drawn, "Wave, beats, quality."), (intervals, "Intervals.")]),
        Section("Heart-rate variability", table=hrv),
        Section("Arousal and valence", [told], [(emotion, "Over time.")] if model else []),
    ]
    page = Page("One recording", "Not a diagnosis, not a fact about a person.", sections)
    files = [
        write_table(row, folder / "features.csv"),
        write_table(row, folder / "features.parquet"),
        write_wave(wave, folder / "wave.csv"),
        write_page(page, folder / "report.html"),
    ]
    text = f"### {said}\n\n{told}"
    return Shown(text, drawn, intervals, hrv, emotion, [str(file) for file in files])


def _said(wave: Signal) -> str:
    verdict = judge(wave)
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
    if row["reason"].iloc[0]:
        return "withheld: no clear pulse"
    short = duration_s < minimum_s
    return f"too short yet: {minimum_s:g} s wanted" if short else "not known: gaps or few beats"


def _trained(model: Model | None) -> str:
    if model is None:
        return "No emotion model was given: start with `emotion-rppg app --model DIR`."
    people = "; ".join(f"{len(who)} people of {name}" for name, who in model.trained_on.items())
    return f"The emotion model learned from {people}. {model.note}"


def _over_time(predicted: pd.DataFrame | None, model: Model | None) -> Figure:
    """Each target over time: the last class's probability, or the number."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axis = figure.subplots()
    if predicted is not None and model is not None:
        middle = predicted["start_s"] + predicted["duration_s"] / 2
        for target in model.targets:
            classes = model.classes[target]
            column = f"{target}_p_{classes[-1]}" if classes else target
            axis.plot(middle, predicted[column].astype(float), "-o", ms=4, label=column)
        axis.legend(frameon=False)
        reason = "".join(dict.fromkeys(predicted["reason"]))
        axis.set_title(reason, fontsize=9)
    axis.set(xlabel="time (s)", ylabel="model says")
    return figure


@contextmanager
def page(model_folder: Path | None = None) -> Iterator[Any]:
    """The page, not yet served; its temporary files go when the block ends."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    with TemporaryDirectory(prefix="emotion-rppg-app-") as place:
        os.environ["GRADIO_TEMP_DIR"] = place
        yield _blocks(_model(model_folder))


def _model(folder: Path | None) -> Model | None:
    model = load(folder) if folder else None
    if model is not None and model.calibration_s is not None:
        raise InputError(
            f"the model {str(folder)!r} compares people with their own rest, for which the page "
            "has no place: use `emotion-rppg predict --calibrate REST`"
        )
    return model


def _blocks(model: Model | None) -> Any:
    try:
        import gradio as gr
    except ImportError as error:
        raise InputError("the web page needs gradio: pip install 'emotion-rppg[app]'") from error

    def read(video: str | None, method: str, bar: Any = gr.Progress()) -> Iterator[tuple[Any, ...]]:  # noqa: B008
        if video is None:
            raise gr.Error("give a video first: upload one, or record with the camera")
        with TemporaryDirectory() as folder:  # the server copies what is yielded before it goes on
            try:
                shown = analyse(
                    video,
                    Path(folder),
                    method=method,
                    model=model,
                    progress=lambda done, total: bar((done, total)),
                )
            except InputError as error:
                raise gr.Error(str(error)) from None
            yield tuple(vars(shown).values())

    with gr.Blocks(
        title="emotion_rppg", analytics_enabled=False, delete_cache=(60, KEPT_S)
    ) as blocks:
        gr.Markdown(
            "# The pulse in a face\nNot a medical device. Only with the consent of whoever is "
            f"seen. At most {LONGEST_S / 60:g} minutes; nothing leaves this machine."
        )
        video = gr.Video(sources=["upload", "webcam"], label="Video", height=300)
        how = gr.Dropdown(list(METHODS), value="pos", label="Method", visible=model is None)
        go = gr.Button("Read the pulse", variant="primary")
        shown = [
            gr.Markdown(elem_id="said"),
            gr.Plot(label="Wave, beats (dots), quality (grey)"),
            gr.Plot(label="Inter-beat intervals"),
            gr.Dataframe(label="Heart-rate variability"),
            gr.Plot(label="Arousal and valence over time", visible=model is not None),
            gr.File(label="Downloads", file_count="multiple"),
        ]
        go.click(read, [video, how], shown, api_name="read", concurrency_limit=AT_ONCE)
    return blocks.queue(max_size=WAITING)


def serve(blocks: Any, *, port: int | None = None, wait: bool = True) -> str:
    """Serve the page on 127.0.0.1 and give its address; ``wait`` until Ctrl-C."""
    import gradio as gr

    theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    _, address, _ = blocks.launch(
        server_name="127.0.0.1",
        server_port=port,
        share=False,
        max_file_size=LARGEST,
        prevent_thread_lock=not wait,
        quiet=not wait,
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=[],
        theme=theme,
    )
    return str(address)

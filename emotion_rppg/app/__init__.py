"""The web page on this machine: a face video in; wave, beats, HRV and downloads out.

Served on 127.0.0.1 alone. What is uploaded lies in a temporary folder that goes with the server.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from emotion_rppg.app.analysis import LONGEST_S, Shown, analyse, growing
from emotion_rppg.errors import InputError
from emotion_rppg.pulse import METHODS
from emotion_rppg.pulse.inference.trained_network import BUNDLED
from emotion_rppg.signals import Signal
from emotion_rppg.study import load

if TYPE_CHECKING:
    from emotion_rppg.emotion.model import Model

LARGEST, AT_ONCE, WAITING = "500mb", 2, 20
KEPT_S = 1800  # for uploads and results of a page that stays open
REDRAWN_S = 1.0  # between pictures of a wave that grows


class _Gone(Exception):
    """Nobody looks at the page any more."""


def watched(work: Callable[..., Shown]) -> Iterator[Shown]:
    """What ``work(preview=…)`` gives, after what it shows of the wave while it reads.

    Work whose watcher has gone ends at the next second of video.
    """
    news: Queue[Signal] = Queue()
    gone = threading.Event()
    due = 0.0

    def preview(so_far: Callable[[], Signal]) -> None:
        nonlocal due
        if gone.is_set():
            raise _Gone
        if time.monotonic() >= due:
            news.put(so_far())
            due = time.monotonic() + REDRAWN_S

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(work, preview=preview)
        try:
            while not done.done() or not news.empty():
                try:
                    wave = news.get(timeout=0.1)
                except Empty:
                    continue
                if len(wave):
                    yield growing(wave)
            yield done.result()
        finally:
            gone.set()


@contextmanager
def page(model_folder: Path | None = None) -> Iterator[Any]:
    """The page, not yet served; its temporary files go when the block ends."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    with TemporaryDirectory(prefix="emotion-rppg-app-") as place:
        os.environ["GRADIO_TEMP_DIR"] = place
        yield _blocks(load(model_folder) if model_folder else None)


def _blocks(model: Model | None) -> Any:
    try:
        import gradio as gr
    except ImportError as error:
        raise InputError("the web page needs gradio: pip install 'emotion-rppg[app]'") from error

    needs_rest = model is not None and model.calibration_s is not None
    on_plane = model is not None and {"arousal", "valence"} <= set(model.targets)

    def read(
        video: str | None,
        rest: str | None,
        method: str,
        bar: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        if video is None:
            raise gr.Error("give a video first: upload one, or record with the camera")
        with TemporaryDirectory() as folder:  # the server copies what is yielded before it goes on

            def work(**watching: Any) -> Shown:
                asked: dict[str, Any] = {"method": method, "model": model, "rest": rest}
                asked["progress"] = lambda done, total: bar((done, total))
                return analyse(video, Path(folder), **asked, **watching)

            try:
                for shown in watched(work):
                    yield tuple(vars(shown).values())
            except InputError as error:
                raise gr.Error(str(error)) from None

    with gr.Blocks(
        title="emotion_rppg", analytics_enabled=False, delete_cache=(60, KEPT_S)
    ) as blocks:
        gr.Markdown(
            "# The pulse in a face\nNot a medical device. Only with the consent of whoever is "
            f"seen. At most {LONGEST_S / 60:g} minutes; nothing leaves this machine."
        )
        sources: Any = ["upload", "webcam"]
        with gr.Row():
            video = gr.Video(sources=sources, label="Video", height=340, elem_id="video")
            rest = gr.Video(
                sources=sources, label="The same person at rest", height=340, visible=needs_rest
            )
        how = gr.Dropdown([*METHODS, *BUNDLED], value="pos", label="Method", visible=model is None)
        go = gr.Button("Read the pulse", variant="primary", elem_id="go")
        shown = [
            gr.Markdown(elem_id="said"),
            gr.Plot(label="Wave, beats (dots), quality (grey)", elem_id="wave"),
            gr.Plot(label="Inter-beat intervals"),
            gr.Dataframe(label="Heart-rate variability", elem_id="hrv"),
            gr.Plot(label="What the model says over time", visible=model is not None),
            gr.Plot(label="Arousal and valence", visible=on_plane),
            gr.File(label="Downloads", file_count="multiple"),
        ]
        go.click(read, [video, rest, how], shown, api_name="read", concurrency_limit=AT_ONCE)
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

"""The web page: it shows the wave, beats and HRV of a face video and offers downloads.

It is served on 127.0.0.1 only and refuses requests of other web sites (`local_requests`). Uploads
are in a temporary folder, deleted when the server ends.
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

from emotion_rppg.app.analysis import LONGEST_S, PageContent, analyse, preview_content
from emotion_rppg.app.beats.opening import OpenPages
from emotion_rppg.app.local_requests import LocalRequests
from emotion_rppg.errors import InputError
from emotion_rppg.pulse import DEFAULT_METHOD, METHODS
from emotion_rppg.pulse.inference.trained_network import BUNDLED
from emotion_rppg.signals import Signal
from emotion_rppg.study import load

if TYPE_CHECKING:
    from emotion_rppg.emotion.model import Model

MAX_FILE_SIZE, MAX_RUNNING, MAX_WAITING = "500mb", 2, 20
DELETE_AFTER_S = 1800  # uploads and results of a page that stays open
REDRAW_S = 1.0  # between two figures of a wave that is still being read


class _Closed(Exception):
    """The page was closed."""


def stream(work: Callable[..., PageContent]) -> Iterator[PageContent]:
    """Run ``work(preview=…)`` in a thread; yield the wave so far, then its result.

    If the caller stops iterating, the work ends at the next second of video.
    """
    waves: Queue[Signal] = Queue()
    closed = threading.Event()
    due_s = 0.0

    def preview(so_far: Callable[[], Signal]) -> None:
        nonlocal due_s
        if closed.is_set():
            raise _Closed
        if time.monotonic() >= due_s:
            waves.put(so_far())
            due_s = time.monotonic() + REDRAW_S

    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(work, preview=preview)
        try:
            while not result.done() or not waves.empty():
                try:
                    wave = waves.get(timeout=0.1)
                except Empty:
                    continue
                if len(wave):
                    yield preview_content(wave)
            yield result.result()
        finally:
            closed.set()


@contextmanager
def page(model_folder: Path | None = None) -> Iterator[Any]:
    """Build the page without serving it; its temporary files are deleted when the block ends."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    with TemporaryDirectory(prefix="emotion-rppg-app-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        with OpenPages() as pages:
            yield _blocks(load(model_folder) if model_folder else None, pages)


def _blocks(model: Model | None, pages: OpenPages) -> Any:
    try:
        import gradio as gr
    except ImportError as error:
        raise InputError("the web page needs gradio: pip install 'emotion-rppg[app]'") from error

    needs_rest = model is not None and model.calibration_s is not None
    has_both = model is not None and {"arousal", "valence"} <= set(model.targets)

    def refusal(message: str) -> Exception:
        return gr.Error(message, print_exception=False)  # to the page, with no traceback here

    def read(
        video: str | None,
        rest: str | None,
        method: str,
        bar: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        if video is None:
            raise refusal("no video: upload one, or record one with the camera")
        with TemporaryDirectory() as folder:  # the server copies each result before it continues

            def work(**preview: Any) -> PageContent:
                options: dict[str, Any] = {"method": method, "model": model, "rest": rest}
                options["progress"] = lambda done, total: bar((done, total))
                return analyse(video, Path(folder), **options, **preview)

            try:
                for content in stream(work):
                    yield tuple(vars(content).values())
            except InputError as error:
                raise refusal(str(error)) from None

    with gr.Blocks(
        title="emotion_rppg", analytics_enabled=False, delete_cache=(60, DELETE_AFTER_S)
    ) as blocks:
        gr.Markdown(
            "# Pulse from a face video\nNot a medical device. Use it only with the consent of the "
            f"person in the video. At most {LONGEST_S / 60:g} minutes. Nothing leaves this machine."
        )
        with gr.Tab("Pulse"):
            sources: Any = ["upload", "webcam"]
            with gr.Row():
                video = gr.Video(sources=sources, label="Video", height=340, elem_id="video")
                rest = gr.Video(
                    sources=sources, label="The same person at rest", height=340, visible=needs_rest
                )
            method = gr.Dropdown(
                [*METHODS, *BUNDLED], value=DEFAULT_METHOD, label="Method", visible=model is None
            )
            button = gr.Button("Read the pulse", variant="primary", elem_id="go")
            outputs = [  # in the order of the fields of PageContent
                gr.Markdown(elem_id="summary"),
                gr.Plot(label="Wave, beats (dots), quality (grey)", elem_id="wave"),
                gr.Plot(label="Inter-beat intervals"),
                gr.Dataframe(label="Heart-rate variability", elem_id="hrv"),
                gr.Plot(label="Predictions over time", visible=model is not None),
                gr.Plot(label="Arousal and valence", visible=has_both),
                gr.File(label="Downloads", file_count="multiple"),
            ]
            button.click(
                read, [video, rest, method], outputs, api_name="read", concurrency_limit=MAX_RUNNING
            )
        with gr.Tab("Correct beats"):
            _correction(gr, pages)
    return blocks.queue(max_size=MAX_WAITING)


def _correction(gr: Any, pages: OpenPages) -> None:
    """Fill the tab that opens the page for correcting the beats of a recording."""

    def opened(path: str, by: str, method: str) -> str:
        try:
            address = pages.address_of(path, by, method)
        except InputError as error:
            raise gr.Error(str(error)) from None
        return f"[Correct the beats of {Path(path.strip()).name}]({address}) (opens a page)"

    gr.Markdown(
        "Add, move and delete beats or mark noise. Edits are saved beside the recording, never in "
        "it; `features`, `predict` and `pulse` use them."
    )
    with gr.Row():
        path = gr.Textbox(
            label="Recording: the path of a file on this machine", elem_id="recording"
        )
        by = gr.Textbox(label="Your name, stored with each edit", elem_id="by")
        method = gr.Dropdown(
            [*METHODS, *BUNDLED], value=DEFAULT_METHOD, label="Method (of a video)"
        )
    button = gr.Button("Open", variant="primary", elem_id="open")
    link = gr.Markdown(elem_id="page-of-beats")
    button.click(opened, [path, by, method], [link], api_name=False)


def serve(blocks: Any, *, port: int | None = None, wait: bool = True) -> str:
    """Serve the page on 127.0.0.1 and return its address; with ``wait`` run until Ctrl-C."""
    import gradio as gr
    from starlette.middleware import Middleware

    theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    _, address, _ = blocks.launch(
        server_name="127.0.0.1",
        server_port=port,
        share=False,
        max_file_size=MAX_FILE_SIZE,
        prevent_thread_lock=not wait,
        quiet=not wait,
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=[],
        theme=theme,
        app_kwargs={"middleware": [Middleware(LocalRequests)]},
    )
    return str(address)

"""The web page: it shows wave, beats and HRV of a face video or a sensor and offers downloads.

It is served on 127.0.0.1 only and refuses requests of other web sites (`local_requests`). Uploads
are in a temporary folder, deleted when the server ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from emotion_rppg.app.analysis import (
    LONGEST_FILE_S,
    LONGEST_S,
    PageContent,
    analyse,
    preview_content,
)
from emotion_rppg.app.beats.opening import OpenPages
from emotion_rppg.app.local_requests import LocalRequests
from emotion_rppg.app.panels import CSS, LABELS, NOTHING_YET, panels_of, summary_html
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.kinds import KINDS
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

    def refusal(message: str) -> Exception:
        return gr.Error(message, print_exception=False)  # to the page, with no traceback here

    def read(
        video: str | None,
        file: str | None,
        rest: str | None,
        rest_file: str | None,
        method: str,
        channel: str,
        source: str,
        everybody: bool,
        bar: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        given = [path for path in (video, file) if path is not None]
        if not given:
            raise refusal("no recording: upload a video or a file, or record with the camera")
        if len(given) > 1:
            raise refusal("a video and a file of a sensor are given: remove one of the two")
        if rest is not None and rest_file is not None:
            raise refusal("a video and a file of rest are given: remove one of the two")
        with TemporaryDirectory() as folder:  # the server copies each result before it continues

            def work(**preview: Any) -> PageContent:
                options: dict[str, Any] = {"method": method, "model": model, "everybody": everybody}
                options |= {"channel": channel.strip(), "source": source, "rest": rest or rest_file}
                options["progress"] = lambda done, total: bar((done, total))
                return analyse(given[0], Path(folder), **options, **preview)

            try:
                for content in stream(work):
                    yield _shown(gr, content)
            except InputError as error:
                raise refusal(
                    for_the_page(str(error), [*given, *filter(None, [rest, rest_file])])
                ) from None

    with gr.Blocks(
        title="emotion_rppg", analytics_enabled=False, delete_cache=(60, DELETE_AFTER_S)
    ) as blocks:
        gr.Markdown(_introduction(model))
        inputs = _inputs(gr, needs_rest=needs_rest, has_method=model is None)
        button = gr.Button("Read the pulse", variant="primary", elem_id="go")
        outputs: list[Any] = [gr.HTML(elem_id="summary", min_height=48)]
        outputs.append(gr.HTML(elem_id="people", visible=False))
        who = gr.Dropdown(label="Whose results the tabs show", visible=False, elem_id="who")
        panels = gr.State([])
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab("Pulse"):
                outputs.append(gr.HTML(NOTHING_YET, elem_id="pulse"))
            with gr.Tab("HRV"):
                outputs.append(gr.HTML(NOTHING_YET, elem_id="hrv"))
            with gr.Tab("Emotion", visible=model is not None):
                outputs.append(gr.HTML(NOTHING_YET, elem_id="emotion"))
            with gr.Tab("Beats"):
                _correction(gr, pages)
            with gr.Tab("Downloads"):
                outputs.append(gr.HTML(NOTHING_YET, elem_id="no-files"))
                with gr.Column(visible=False) as downloads:
                    files = gr.File(
                        label="Files of this reading",
                        file_count="multiple",
                        interactive=False,
                        elem_id="downloads",
                    )
        shown = outputs[2:5]
        outputs += [who, panels, downloads, files]
        who.input(
            lambda all_panels, n: all_panels[n], [panels, who], shown, api_visibility="private"
        )
        button.click(
            read,
            inputs,
            outputs,
            api_name="read",
            concurrency_limit=MAX_RUNNING,
            show_progress_on=outputs[:1],
        )
    return blocks.queue(max_size=MAX_WAITING)


def for_the_page(message: str, given: Sequence[str]) -> str:
    """Reword a refusal: no temporary folder, and the field in place of the option."""
    for path in given:
        message = message.replace(f"{Path(path).parent}{os.sep}", "")
    words = {
        "add --channel NAME": "write its name in “Column or channel”",
        "--channel": "“Column or channel”",
        "add --source rr": "choose “rr” as its signal",
        "--source": "“Signal of the file”",
    }
    for option, field in words.items():
        message = message.replace(option, field)
    return message


def _introduction(model: Model | None) -> str:
    text = (
        "# Pulse of a face video or a sensor\nNot a medical device. Use it only with the consent "
        "of the people recorded. Nothing leaves this machine. A video has at most "
        f"{LONGEST_S / 60:g} minutes, a file {LONGEST_FILE_S / 3600:g} hours."
    )
    if model is None:
        text += " For predictions of emotion, start with `emotion-rppg app --model DIR`."
    return text


def _inputs(gr: Any, *, needs_rest: bool, has_method: bool) -> list[Any]:
    """Add what is read: a video or a file of a sensor, and how, in the order of `read`."""
    sources: Any = ["upload", "webcam"]
    with gr.Row():
        with gr.Column(scale=2):
            video = gr.Video(sources=sources, label="Video of a face", height=300, elem_id="video")
        with gr.Column():
            everybody = gr.Checkbox(
                label="Everybody in the picture, not only the largest face", elem_id="everybody"
            )
            file = gr.File(
                label="Or a file: PPG, ECG or intervals (CSV, EDF …)", height=170, elem_id="file"
            )
            channel = gr.Textbox(
                label="Column or channel of the file, if it has several", elem_id="channel"
            )
            source = gr.Dropdown(
                ["auto", *KINDS], value="auto", label="Signal of the file", elem_id="source"
            )
            method = gr.Dropdown(
                [*METHODS, *BUNDLED],
                value=DEFAULT_METHOD,
                label="Method for a video",
                visible=has_method,
                elem_id="method",
            )
    with gr.Row(visible=needs_rest):
        with gr.Column(scale=2):
            rest = gr.Video(
                sources=sources, label="The same person at rest", height=300, elem_id="rest"
            )
        with gr.Column():
            rest_file = gr.File(
                label="Or a file of the same person at rest", height=170, elem_id="rest-file"
            )
    return [video, file, rest, rest_file, method, channel, source, everybody]


def _shown(gr: Any, content: PageContent) -> tuple[Any, ...]:
    """Give the outputs of the page their values."""
    done, several = content.files is not None, len(content.people) > 1
    panels = [panels_of(person) for person in content.people]
    names = [(person.name, number) for number, person in enumerate(content.people)]
    return (
        summary_html(content.text),
        gr.HTML(content.picture, visible=bool(content.picture)),
        *panels[0],
        "" if done else NOTHING_YET,
        gr.Dropdown(names, value=0, visible=several),
        panels if several else [],
        gr.Column(visible=done),
        content.files,
    )


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
        css=CSS,
        js=LABELS,
        app_kwargs={"middleware": [Middleware(LocalRequests)]},
    )
    return str(address)

"""The web page: what it shows of a video, what it refuses and which files it serves."""

import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import Recording, extract, fit, load
from emotion_rppg.app import for_the_page, stream
from emotion_rppg.app.analysis import LONGEST_S, PageContent, analyse
from emotion_rppg.app.panels import panels_of, section_html
from emotion_rppg.app.picture import most_seen_s
from emotion_rppg.errors import InputError
from emotion_rppg.pulse.person_wave import PersonWave
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots.signals import plot_tachogram
from emotion_rppg.runtime.tables import write_wave
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import bvp

CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"


@pytest.mark.slow
def test_a_clip_gives_its_heart_rate_and_says_which_features_need_more_time(tmp_path) -> None:
    content = analyse(CLIP, tmp_path, method="green")
    assert "bpm" in content.text
    assert abs(float(content.text.split()[0]) - 72) < 3
    (person,) = content.people
    value = dict(zip(person.hrv.table["feature"], person.hrv.table["value"], strict=True))
    assert abs(float(value["hr_bpm"]) - 72) < 3
    assert value["sdnn_ms"] == "too short: needs 60 s"
    names = {Path(file).name for file in content.files}
    assert names == {"features.csv", "features.parquet", "wave.csv", "report.html"}
    assert all(
        Path(file).parent == tmp_path and Path(file).stat().st_size for file in content.files
    )


def test_a_video_that_is_too_long_is_refused_before_it_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.app.analysis.LONGEST_S", 5.0)
    assert LONGEST_S >= 60
    with pytest.raises(InputError, match="takes 5 s at most"):
        analyse(CLIP, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_wave_of_a_sensor_has_the_words_of_the_report(tmp_path) -> None:
    file = write_wave(bvp(heart(Person(1), 0.0, 0.0, 90.0, seed=1)), tmp_path / "finger.csv")
    content = analyse(file, tmp_path)
    (person,) = content.people
    assert re.match(r"\d+\.\d bpm · quality \S+ · bvp, 90 s at 64 Hz$", content.text), content.text
    assert [type(caption) for _, caption in person.pulse.figures] == [str, str]
    report = (tmp_path / "report.html").read_text()
    shown = section_html(person.pulse)
    for text in [*person.pulse.text, *(caption for _, caption in person.pulse.figures)]:
        assert text in report
        assert text in shown
    value = dict(zip(person.hrv.table["feature"], person.hrv.table["value"], strict=True))
    assert float(value["sdnn_ms"]) > 0
    assert set(pd.read_csv(tmp_path / "features.csv")["dataset"]) == {"uploaded"}
    assert (tmp_path / "wave.csv").exists()


@pytest.mark.parametrize(("name", "source"), [("belt_rr.txt", "auto"), ("some.csv", "rr")])
def test_intervals_without_a_wave_draw_the_tachogram_only(tmp_path, name, source) -> None:
    intervals = np.random.default_rng(1).normal(800, 30, 100).round()
    file = tmp_path / name
    file.write_text("\n".join(f"{value:.0f}" for value in intervals))
    (person,) = analyse(file, tmp_path, source=source).people
    ((_, caption),) = person.pulse.figures
    assert (
        f"{len(intervals)} intervals, {intervals.min():.0f} to {intervals.max():.0f} ms" in caption
    )
    assert (tmp_path / "intervals.csv").exists()
    assert not (tmp_path / "wave.csv").exists()


@pytest.mark.parametrize(
    ("name", "text", "channel", "message"),
    [
        ("words.csv", "a,b\nx,y\n", "", "words.csv"),
        ("rr.txt", "800\n810\n790\n800\n", "pleth", "want a header"),
        ("clip.mp4", "", "pleth", "a video has no channel 'pleth'"),
    ],
)
def test_a_file_without_a_pulse_is_refused_before_anything_is_written(
    tmp_path, name, text, channel, message
) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=message):
        analyse(tmp_path / name, tmp_path / "out", channel=channel)
    assert not list((tmp_path / "out").iterdir())


def test_a_file_that_is_too_long_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.app.analysis.LONGEST_FILE_S", 20.0)
    file = tmp_path / "rr.txt"
    file.write_text("800\n" * 60)
    with pytest.raises(InputError, match="takes 20 s at most"):
        analyse(file, tmp_path)


def test_texts_of_a_section_cannot_contain_markup() -> None:
    table = pd.DataFrame({"feature": ["<b>"], "value": ["<i>"]})
    figure = plot_tachogram({"<u>": Beats([0.0, 1, 2])})
    section = Section("t", ["<s>"], [(figure, '"<em>')], table, "<p1>", warning="<w>")
    html = section_html(section)
    for text in ("<b>", "<i>", "<s>", "<em>", "<p1>", "<w>"):
        assert text not in html
        assert text.replace("<", "&lt;").replace(">", "&gt;") in html
    assert 'alt="&quot;&lt;em&gt;"' in html


def test_a_tachogram_of_one_signal_has_no_legend() -> None:
    one, two = Beats([0.0, 1, 2]), Beats([0.0, 1.1, 2])
    assert not plot_tachogram({"a": one}).legends
    assert len(plot_tachogram({"a": one, "b": two}).legends) == 1


@pytest.mark.slow
def test_predictions_have_a_reason_where_the_model_abstains(tmp_path) -> None:
    def intervals(bpm: float, seconds: float, seed: int) -> np.ndarray:
        draw = np.random.default_rng(seed).normal(size=int(seconds * bpm / 60))
        return 60_000 / bpm + 25 * draw

    recordings = [
        Recording(
            "belts",
            str(person),
            trial=str(value),
            labels={"arousal": value},
            scales={"arousal": (1, 9)},
            signals={"rr": Beats.from_intervals(intervals(bpm + person, 70, person))},
        )
        for person in range(8)
        for value, bpm in ((2.0, 58), (8.0, 95))
    ]
    table = extract(recordings, families=["hrv"], length_s=60, step_s=60)
    model = fit(table, target="arousal", probabilities="own")
    values = np.r_[intervals(97, 60, 9), np.full(4, 60_000.0), intervals(97, 60, 10)]
    file = tmp_path / "belt_rr.txt"
    file.write_text("\n".join(f"{value:.0f}" for value in values))
    (person,) = analyse(file, tmp_path, model=model).people
    assert person.emotion is not None
    said = list(person.emotion.table["prediction"])
    assert said[0].startswith("arousal high"), said
    (reason,) = {text for text in said if text.startswith("not predicted: ")}
    assert any("windows not predicted" in text for text in person.emotion.text)
    assert "The emotion model was trained on 8 people of belts." in person.emotion.text
    assert reason in section_html(person.emotion)
    assert (tmp_path / "prediction.csv").exists()


@pytest.mark.slow
def test_everybody_in_a_video_has_results_and_a_number_in_the_picture(tmp_path) -> None:
    import imageio_ffmpeg

    video, out = tmp_path / "two.mp4", tmp_path / "out"
    out.mkdir()
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(CLIP)]
    beside = "[0:v]split[a][b];[b]eq=brightness=0.05[c];[a][c]hstack"
    subprocess.run([*command, "-filter_complex", beside, str(video)], check=True)
    content = analyse(video, out, method="green", everybody=True)
    assert content.text == "2 people in the video"
    assert [person.name[:14] for person in content.people] == ["person 1: face", "person 2: face"]
    for number, person in enumerate(content.people, 1):
        assert abs(float(person.summary.split()[0]) - 72) < 3
        assert person.pulse.title == f"Pulse of person {number}"
        assert (out / f"wave_{number}.csv").exists()
        assert f">{number}</text>" in content.picture
        assert person.name in content.picture  # for screen readers
        assert person.summary in panels_of(person)[0]
    assert pd.read_csv(out / "features.csv")["person"].tolist() == [1, 2]
    assert "image/jpeg" in content.picture
    assert "jpeg" not in (out / "report.html").read_text()
    assert {Path(file).suffix for file in content.files} == {".csv", ".parquet", ".html"}


def test_the_picture_is_of_a_time_at_which_most_people_are_seen() -> None:
    def seen(first: float, last: float) -> PersonWave:
        place = {"face_x": 0.5, "face_y": 0.5, "face_height": 0.2}
        return PersonWave(np.zeros(300), 30.0, kind="rppg", **place, seen_s=(first, last))

    assert most_seen_s([seen(0, 4), seen(2, 10), seen(8, 9), seen(8, 10)]) == 8.5


def test_a_refusal_names_the_fields_of_the_page_and_no_temporary_folder(tmp_path) -> None:
    file = tmp_path / "some.csv"
    file.write_text("800\n810\n")
    with pytest.raises(InputError) as refused:
        analyse(file, tmp_path)
    message = for_the_page(str(refused.value), [str(file)])
    assert message.startswith("some.csv starts with")
    assert str(tmp_path) not in message
    assert "--" not in message
    assert "choose “rr” as its signal" in message


VISIT = """
import os, sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from gradio_client import Client, handle_file
from emotion_rppg.app import page, serve

clip = sys.argv[1]
with page() as blocks:
    place = Path(os.environ["GRADIO_TEMP_DIR"])
    address = serve(blocks, wait=False)
    assert address.startswith("http://127.0.0.1:"), address
    client = Client(address, verbose=False)
    summary, *_, files = client.predict(
        handle_file(clip), None, None, None, "green", "", "auto", False, api_name="/read"
    )
    assert abs(float(summary.removeprefix("<h2>").split()[0]) - 72) < 3, summary
    assert len(files) == 4, files
    for path in ("/etc/passwd", clip, str(Path.cwd() / "README.md")):
        try:
            urlopen(f"{address}gradio_api/file={path}")
        except HTTPError as refused:
            assert refused.code in (403, 404), refused
        else:
            raise AssertionError(f"served {path}")
    def status(where, data=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return urlopen(Request(address + where, data, headers)).status
        except HTTPError as refused:
            return refused.code
    empty = b'{"data": [null, null, null, null, "green", "", "auto", false]}'
    body = {"data": empty, "Content_Type": "application/json"}
    for where, sent in (("", {}), ("gradio_api/call/read", body)):
        own = address.rstrip("/")
        assert status(where, **sent) == status(where, **sent, Origin=own) == 200, where
        assert status(where, **sent, Host="evil.example") == 403, where
        assert status(where, **sent, Origin="http://evil.example") == 403, where
        assert status(where, **sent, Sec_Fetch_Site="cross-site") == 403, where
    assert status("gradio_api/queue/data?session_hash=a", Origin="http://evil.example") == 403
    assert any(place.rglob("*.mp4"))
    blocks.close()
assert not place.exists()
"""


@pytest.mark.slow
def test_the_page_reads_an_upload_serves_no_other_file_and_deletes_its_files() -> None:
    pytest.importorskip("gradio", reason="no web page without the extra app")
    run = [sys.executable, "-c", VISIT, str(CLIP)]  # by itself: the server leaves sockets open
    done = subprocess.run(run, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr  # a video that is missing is a message on the page


@pytest.mark.slow
def test_a_model_that_needs_a_video_of_rest_says_so(tmp_path) -> None:
    stress = load("stress")
    with pytest.raises(InputError, match="give a recording of it"):
        analyse(CLIP, tmp_path, model=stress)
    with pytest.raises(InputError, match="no window of the recording of rest"):
        analyse(CLIP, tmp_path, model=stress, rest=CLIP)  # ten seconds of it are too few


@pytest.mark.slow
def test_the_wave_grows_while_it_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.app.REDRAW_S", 0.0)
    *before, last = stream(partial(analyse, CLIP, tmp_path, method="green"))
    assert len(before) > 3
    seconds = [float(content.text.split()[1]) for content in before]
    assert seconds == sorted(set(seconds))
    assert all(content.files is None for content in before)
    assert len(last.files or []) == 4


def test_work_ends_when_the_page_is_closed(monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.app.REDRAW_S", 0.0)
    steps = []

    def work(*, preview) -> PageContent:
        for k in range(10_000):
            preview(lambda: Signal(np.zeros(60), 30, kind="rppg"))
            steps.append(k)
            time.sleep(0.01)
        raise AssertionError("the work was not stopped")

    contents = stream(work)
    next(contents)
    contents.close()
    assert len(steps) < 1000


def test_an_error_of_the_work_reaches_the_page() -> None:
    def work(*, preview) -> PageContent:
        raise InputError("no face")

    with pytest.raises(InputError, match="no face"):
        list(stream(work))

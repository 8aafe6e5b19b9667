"""DEAP: channel of the pulse, numbering of videos and arrays, the original BDF."""

import pickle
import sys

import numpy as np
import pytest

from emotion_rppg.datasets.deap import COLUMNS, RATINGS, Deap, read_ratings
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats import find_beats
from emotion_rppg.formats.safe_io import load_pickle
from emotion_rppg.recordings import DatasetNotFound
from emotion_rppg.video.frames import read_frames
from tests.datasets.fakes import FAKES
from tests.datasets.fakes.shared import pulse


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    return FAKES["deap"](tmp_path_factory.mktemp("deap") / "deap")


@pytest.fixture
def copied(fake, tmp_path):
    for name in ("metadata", "data_preprocessed_python"):
        (tmp_path / name).mkdir()
        for path in (fake / name).iterdir():
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_video_pulse_and_ratings_of_a_trial_belong_to_one_stimulus(fake) -> None:
    found = list(Deap(fake))
    assert [r.name for r in found[:3]] == [f"deap/01/1/0{k}" for k in (1, 2, 3)]
    assert [r.labels["stimulus"] for r in found[:3]] == ["2", "1", "3"]
    for recording in found[:3]:
        stimulus = int(recording.labels["stimulus"])
        assert recording.labels["valence"] == 1 + stimulus
        frame = next(iter(read_frames(recording.video)))
        assert frame.image.mean() == pytest.approx(40 + 20 * stimulus, abs=3)
        wave = recording.read("bvp")
        assert (wave.start_s, wave.duration_s, wave.rate_hz) == (0, 8, 128)
    assert all(r.video is None for r in found[3:])


def test_ratings_of_another_order_are_refused(copied) -> None:
    path = copied / "metadata" / RATINGS
    rows = [line.split(",") for line in path.read_text().splitlines()]
    for row in rows[1:]:
        row[2] = row[1]  # as if the arrays were in the order shown
    path.write_text("\n".join(map(",".join, rows)))
    with pytest.raises(
        InputError, match=r"s01\.dat has the ratings .* of stimulus 1, .* from one release"
    ):
        [r.read("bvp") for r in Deap(copied)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("labels"), "has no data and labels"),
        (lambda c: c.update(data=c["data"][:, :39]), r"want numbers, \(trials, 40, n\)"),
        (lambda c: c.update(data=c["data"][:, :, :300]), "before the stimulus begins"),
        (lambda c: c.update(data=c["data"][:1], labels=c["labels"][:1]), "has 1 trials"),
    ],
)
def test_arrays_of_another_shape_are_refused(copied, change, message) -> None:
    path = copied / "data_preprocessed_python" / "s01.dat"
    content = load_pickle(path)
    change(content)
    path.write_bytes(pickle.dumps(content, 2))
    with pytest.raises(InputError, match=rf"s01\.dat.*{message}"):
        next(iter(Deap(copied))).read("bvp")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1,1,2,", "1,1,1,", "twice"),
        ("1,1,2,", "1,one,2,", "want a number"),
        ("1,1,2,", "1,1,0,", "count from 1"),
        ("1,1,2,3,", "1,1,2,13,", "outside its scale 1–9"),
        ("Experiment_id", "Video", "does not have the columns Experiment_id"),
    ],
)
def test_a_wrong_table_is_refused(copied, old, new, message) -> None:
    path = copied / "metadata" / RATINGS
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_ratings(path)


def test_the_original_recording_is_read_by_its_status_channel(copied) -> None:
    pyedflib = pytest.importorskip("pyedflib")
    (copied / "data_preprocessed_python" / "s02.dat").unlink()
    (copied / "data_original").mkdir()
    rate, starts, rates = 64, (2, 14, 26), (60, 72, 84)
    wave, status = pulse(150, 38, rate), np.zeros(38 * rate)
    for start, bpm in zip(starts, rates, strict=True):
        wave[start * rate : (start + 10) * rate] = pulse(bpm, 10, rate)
        status[start * rate : start * rate + 5] = 4
        status[(start + 10) * rate : (start + 10) * rate + 5] = 5
    path = copied / "data_original" / "s02.bdf"
    with pyedflib.EdfWriter(str(path), 2, file_type=pyedflib.FILETYPE_BDF) as file:
        for k, (label, top) in enumerate((("Plet", 4), ("Status", 8388607))):
            header = {"label": label, "dimension": "", "sample_frequency": rate}
            header |= {"physical_max": top, "physical_min": -top - (k == 1)}
            header |= {"digital_max": 8388607, "digital_min": -8388608}
            file.setSignalHeader(k, header | {"prefilter": "", "transducer": ""})
        file.writeSamples([wave, status])
    second = [r for r in Deap(copied) if r.subject == "02"]
    for recording, bpm in zip(second, rates, strict=True):
        found = recording.read("bvp")
        assert found.start_s == 0
        assert 60e3 / np.median(find_beats(found.crop(0, 10)).intervals_ms) == pytest.approx(bpm, 1)


def test_a_table_alone_is_not_a_data_set(copied) -> None:
    for path in (copied / "data_preprocessed_python").iterdir():
        path.unlink()
    with pytest.raises(DatasetNotFound, match=r"expected data_preprocessed_python/s01\.dat"):
        Deap(copied)


def test_forty_people_are_listed_from_one_table(tmp_path) -> None:
    rows = [",".join(COLUMNS)]
    for place in ("metadata", "data_preprocessed_python"):
        (tmp_path / place).mkdir()
    for person in range(1, 41):
        (tmp_path / "data_preprocessed_python" / f"s{person:02d}.dat").touch()
        rows += [f"{person},{k},{41 - k},5,5,5,5" for k in range(1, 41)]
    (tmp_path / "metadata" / RATINGS).write_text("\n".join(rows))
    opened, active = [], [True]
    sys.addaudithook(
        lambda event, args: opened.append(str(args[0])) if active[0] and event == "open" else None
    )
    assert len(Deap(tmp_path)) == 1600
    active[0] = False
    assert [p for p in opened if str(tmp_path) in p] == [str(tmp_path / "metadata" / RATINGS)]

"""Data sets whose videos are images or arrays: their frames contain the pulse; their traps."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from emotion_rppg import estimate, find_beats
from emotion_rppg.datasets import DATASETS
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Video
from emotion_rppg.study import extract
from emotion_rppg.video.frames import read_frames
from tests.datasets.fakes import FAKES
from tests.datasets.fakes.shared import read_truth

WITHOUT_VIDEO_FILES = ("bp4d-plus", "ibvp", "mmpd", "pure", "scamps")


@pytest.mark.parametrize("name", WITHOUT_VIDEO_FILES)
def test_the_frames_contain_the_planted_pulse(name, tmp_path) -> None:
    fake = FAKES[name](tmp_path / name)
    recording = list(DATASETS[name](fake))[1]
    beats = find_beats(estimate(recording.video, "green", region="full"))
    planted = read_truth(fake)[recording.name]["bvp"]
    assert 60e3 / np.median(beats.intervals_ms) == pytest.approx(planted, abs=2)


def test_pure_is_timed_by_timestamps_and_not_by_count(tmp_path) -> None:
    fake = FAKES["pure"](tmp_path / "p")
    first = sorted((fake / "01-01" / "01-01").iterdir())
    for path in first[60:90]:
        path.unlink()
    recording = next(iter(DATASETS["pure"](fake)))
    times = [frame.time_s for frame in read_frames(recording.video)]
    assert np.diff(times).max() == pytest.approx(31 / 30, abs=1e-3)
    assert recording.read("bvp").start_s == pytest.approx(0, abs=0.02)
    path = fake / "01-01" / "01-01.json"
    content = json.loads(path.read_text())
    for row in content["/FullPackage"]:
        row["Timestamp"] += 60 * 10**9
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"01-01\.json: bvp lasts from"):
        recording.read("bvp")


def test_ibvp_has_the_quality_of_its_pulse_and_one_row_per_image(tmp_path) -> None:
    fake = FAKES["ibvp"](tmp_path / "i")
    recording = next(iter(DATASETS["ibvp"](fake)))
    quality = recording.read("bvp").quality
    assert quality[:30].max() == 0
    assert quality[30:].min() == 1
    for path in sorted((fake / "p01_a" / "p01_a_rgb").iterdir())[:60]:
        path.unlink()
    with pytest.raises(InputError, match="240 rows for 180 images"):
        recording.read("bvp")


def test_mmpds_conditions_become_labels_and_wrong_arrays_are_refused(tmp_path) -> None:
    fake = FAKES["mmpd"](tmp_path / "m")
    found = list(DATASETS["mmpd"](fake))
    assert [r.labels["motion"] for r in found] == ["Stationary", "Walking", "Talking"]
    assert [r.labels["skin_tone"] for r in found] == [3, 4, 5]
    path = fake / "subject1" / "p1_0.mat"
    content = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
    savemat(path, content | {"video": 255 * content["video"]})
    with pytest.raises(InputError, match=r"p1_0\.mat has image values outside 0–1"):
        list(read_frames(found[0].video))
    savemat(path, content | {"skin_color": [[9]]})
    with pytest.raises(InputError, match="skin_tone is 9, outside its scale"):
        DATASETS["mmpd"](fake)


def test_scamps_transposes_its_axes(tmp_path) -> None:
    import h5py

    fake = FAKES["scamps"](tmp_path / "s")
    with h5py.File(fake / "P000001.mat", "a") as file:
        pictures = np.zeros((3, 20, 10, 4), np.float32)
        pictures[0, 15, 2] = 1  # red, to the right and high up
        del file["RawFrames"]
        file["RawFrames"] = pictures
    frames = list(read_frames(next(iter(DATASETS["scamps"](fake))).video))
    assert frames[0].image.shape == (10, 20, 3)
    assert frames[3].image[2, 15].tolist() == [255, 0, 0]


def test_bp4ds_images_are_ordered_by_number_and_its_empty_task_is_excluded(tmp_path) -> None:
    fake = FAKES["bp4d-plus"](tmp_path / "b")
    (fake / "Physiology" / "F001" / "T11").mkdir()
    (fake / "Physiology" / "F001" / "T11" / "BP_mmHg.txt").write_text("")
    found = list(DATASETS["bp4d-plus"](fake))
    assert [(r.subject, r.trial, r.labels["emotion"]) for r in found] == [
        ("F001", "02", "surprise"),
        ("F001", "10", "disgust"),
        ("M001", "02", "surprise"),
    ]
    with zipfile.ZipFile(fake / "2D+3D" / "F001.zip", "a") as archive:
        archive.writestr("F001/T2/cover.jpg", b"")
    with pytest.raises(InputError, match=r"has the image F001/T2/cover\.jpg in F001/T2"):
        next(read_frames(found[0].video))


def test_frames_out_of_order_and_a_single_frame_are_refused(tmp_path) -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    backwards = Video(
        tmp_path, frames=lambda: iter([(0.0, picture), (1.0, picture), (0.5, picture)])
    )
    with pytest.raises(InputError, match=r"a frame at 0\.5 s follows one at 1 s"):
        list(read_frames(backwards))
    with pytest.raises(InputError, match="has 1 frame"):
        list(read_frames(Video(tmp_path, frames=lambda: iter([(0.0, picture)]))))


def test_a_time_span_of_images_begins_at_zero(tmp_path) -> None:
    times = np.arange(10) / 2
    video = Video(
        tmp_path,
        start_s=1.0,
        end_s=3.0,
        frames=lambda: ((t, np.full((2, 2, 3), int(2 * t), np.uint8)) for t in times),
    )
    frames = list(read_frames(video))
    assert [f.time_s for f in frames] == [0, 0.5, 1.0, 1.5]
    assert [f.image[0, 0, 0] for f in frames] == [2, 3, 4, 5]
    assert [f.index for f in frames] == [0, 1, 2, 3]


@pytest.mark.slow
def test_features_of_images_are_cached_by_content(tmp_path) -> None:
    fake = FAKES["pure"](tmp_path / "p")
    recordings = [
        replace(r, video=replace(r.video, region="full"), signals={})
        for r in DATASETS["pure"](fake)
    ]
    options = {"method": "green", "length_s": None, "cache": tmp_path / "kept"}
    first = extract(recordings, **options)
    cached = sorted(p.name for p in (tmp_path / "kept").glob("*.kept"))
    assert cached
    again = extract(recordings, **options)
    assert again.equals(first)
    assert sorted(p.name for p in (tmp_path / "kept").glob("*.kept")) == cached
    images = sorted((fake / "01-01" / "01-01").iterdir())
    images[5].write_bytes(images[6].read_bytes())
    extract(recordings, **options)
    assert len(list((tmp_path / "kept").glob("*.kept"))) > len(cached), (
        "changed images give another wave"
    )

"""The benchmark on real faces: its consensus rule, its outcomes and its degraded versions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.real_clips import (
    LEAST_AGREE,
    VERSIONS,
    Clip,
    agreed_range,
    clips,
    degraded,
    frozen_rates,
)
from benchmarks.real_faces import TRAINED_ON, Row, rows_of
from emotion_rppg import Video
from emotion_rppg.pulse import DONORS
from emotion_rppg.pulse.inference.trained_network import BUNDLED
from emotion_rppg.synthesis.cameras import Camera, film, write_video
from emotion_rppg.synthesis.faces import face

RATE_BPM = 72.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Clip:
    """Ten seconds of a face with a strong pulse at 72 bpm."""
    times = np.arange(300) / 30
    wave = np.sin(2 * np.pi * RATE_BPM / 60 * times)
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    frames = film(face(0.2, strength=0.02), wave, 30.0, Camera())
    write_video(path, frames, 30.0, crf=8)
    return Clip("face", "living", Video(path), (RATE_BPM, RATE_BPM))


def test_most_spectra_have_to_agree_for_a_consensus() -> None:
    agreeing = np.r_[np.full(LEAST_AGREE, 64.0), np.linspace(80, 200, 28 - LEAST_AGREE)]
    assert agreed_range(agreeing) == (64.0, 64.0)
    agreeing[0] = 120.0
    assert agreed_range(agreeing) is None


def test_the_range_of_a_consensus_is_the_middle_of_its_group() -> None:
    low, high = agreed_range(np.r_[np.linspace(62, 65, 20), np.full(8, 150.0)])
    assert 62 <= low < 63
    assert 64 < high <= 65


def test_a_rate_within_3_bpm_of_the_range_is_right() -> None:
    clip = Clip("a", "living", Video(Path("a.mp4")), (60.0, 64.0))
    assert clip.contains(57.1)
    assert clip.contains(66.9)
    assert not clip.contains(56.9)
    assert not clip.contains(67.1)


def test_frozen_rates_name_their_basis() -> None:
    rates = frozen_rates()
    assert {basis for _, basis in rates.values()} <= {"truth", "consensus"}
    assert all(40 < low <= high < 210 for (low, high), _ in rates.values())


def outcome_of(clip: Clip) -> Row:
    (row,) = rows_of(clip, "as it is", ("pos",))
    return row


@pytest.mark.slow
def test_a_reported_rate_is_right_wrong_or_of_unknown_truth(clip) -> None:
    right = outcome_of(clip)
    assert right.outcome == "right"
    assert right.hr_bpm == pytest.approx(RATE_BPM, abs=1.5)
    assert right.agree
    assert right.beats_share > 0.8
    wrong = outcome_of(Clip("face", "living", clip.video, (100.0, 100.0)))
    lifeless = outcome_of(Clip("face", "lifeless", clip.video))
    unknown = outcome_of(Clip("face", "living", clip.video))
    assert [wrong.outcome, lifeless.outcome, unknown.outcome] == ["wrong", "wrong", "reported"]


def test_a_refused_video_is_withheld_with_its_reason(tmp_path) -> None:
    frames = (np.full((64, 64, 3), 90, np.uint8) for _ in range(60))
    write_video(tmp_path / "grey.mp4", frames, 30.0)
    row = outcome_of(Clip("grey", "no face or short", Video(tmp_path / "grey.mp4")))
    assert row.outcome == "withheld"
    assert "no face was found" in row.reason


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_each_degraded_version_is_readable(clip, version, tmp_path) -> None:
    changed = degraded(clip, version, tmp_path)
    assert changed.range_bpm == clip.range_bpm
    assert changed.video.path.parent == tmp_path
    assert outcome_of(changed).seconds == pytest.approx(10, abs=0.3)


@pytest.mark.slow
def test_a_reader_has_no_result_on_a_video_of_its_training(clip, tmp_path) -> None:
    folder = tmp_path / "network"
    shutil.copytree(BUNDLED["physnet"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["trained_on"] = {DONORS: [clip.video.path.name]}
    (folder / "config.json").write_text(json.dumps(config))
    own, other = rows_of(clip, "as it is", (str(folder), "pos"))
    assert own.reason == TRAINED_ON
    assert own.outcome == "withheld"
    assert other.outcome == "right"


@pytest.mark.slow
def test_a_shaken_crop_of_skin_without_a_pulse_has_no_rate(real_data, tmp_path) -> None:
    (still,) = [clip for clip in clips(real_data) if clip.name == "video37_rightcheek"]
    (row,) = rows_of(degraded(still, "trembling", tmp_path), "trembling", ("physnet",))
    assert row.spectrum_bpm == pytest.approx(78, abs=1)  # the wave has the rhythm of the hand
    assert row.outcome == "withheld"
    assert "in the images the wave follows light or motion" in row.reason


def test_donors_of_the_bundled_network_have_no_result_either(clip, tmp_path, monkeypatch) -> None:
    shutil.copytree(BUNDLED["physnet"], tmp_path / "network")
    config = json.loads((tmp_path / "network" / "config.json").read_text())
    config["trained_on"] = {DONORS: [clip.video.path.name]}
    (tmp_path / "network" / "config.json").write_text(json.dumps(config))
    monkeypatch.setitem(BUNDLED, "physnet", tmp_path / "network")
    (row,) = rows_of(clip, "as it is", ("physnet",))
    assert row.reason == TRAINED_ON

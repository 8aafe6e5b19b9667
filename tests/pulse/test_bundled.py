"""The bundled network is small, documented and right on clips that were not in training."""

import json
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg import estimate
from emotion_rppg.errors import InputError
from emotion_rppg.pulse import DONORS
from emotion_rppg.pulse.inference.trained_network import (
    BUNDLED,
    SIZE,
    load_network,
    waveform_from_clip,
)
from emotion_rppg.runtime.model_folders import load_tensors
from emotion_rppg.signal_quality import heart_rate, judge
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import FIRST_TRAINING_SEED, training_clip

FOLDER = BUNDLED["physnet"]


def test_the_bundled_network_is_small_and_has_a_model_card() -> None:
    assert sum(f.stat().st_size for f in FOLDER.glob("model.*")) < 4e6
    assert len(load_tensors(FOLDER)) == 79
    card = (FOLDER / "MODEL_CARD.md").read_text()
    assert "emotion-rppg train pulse" in card
    assert "synthetic" in card


def test_it_was_trained_on_drawn_pulses_and_on_no_clip_with_a_known_rate() -> None:
    people = json.loads((FOLDER / "config.json").read_text())["trained_on"]
    assert set(people) == {DONORS, "synthetic-clips"}
    assert not {Path(name).stem for name in people[DONORS]} & {"evm_face", "lp_d9"}
    for seeds in people["synthetic-clips"]:
        first, last = map(int, seeds.split("-"))
        assert FIRST_TRAINING_SEED <= first < last


@pytest.mark.slow
def test_it_estimates_the_rate_of_clips_not_in_training() -> None:
    errors = []
    for seed, rate_hz in ((1, 30.0), (2, 30.0), (3, 25.0), (4, 50.0), (5, 30.0)):
        clip, wave = training_clip(seed, frames=round(12 * rate_hz), size=SIZE, rate_hz=rate_hz)
        found = waveform_from_clip(clip, rate_hz=rate_hz)
        rates = [heart_rate(Signal(w, rate_hz)) for w in (found, wave)]
        errors.append(abs(rates[0] - rates[1]))
    assert np.median(errors) < 1.0


def test_crops_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match=rf"want uint8 \(frames, {SIZE}, {SIZE}, 3\)"):
        waveform_from_clip(np.zeros((90, SIZE + 4, SIZE + 4, 3), np.uint8), rate_hz=30.0)


@pytest.mark.slow
def test_it_is_the_default_of_estimate(real_data) -> None:
    path = real_data / "faces" / "known_rate" / "evm_face.mp4"
    if not path.is_file():
        pytest.skip("evm_face.mp4 is not there")
    wave = estimate(path, device="cpu")
    assert wave.rate_hz == load_network(FOLDER).rate_hz
    assert 50 <= (judge(wave).hr_bpm or 0) <= 60


@pytest.mark.slow
def test_no_rate_is_reported_for_videos_without_a_pulse(real_data) -> None:
    paths = sorted((real_data / "no_pulse").glob("*.avi"))
    if not paths:
        pytest.skip("no_pulse is not there")
    for path in paths:
        assert judge(estimate(path, region="full", device="cpu")).hr_bpm is None


@pytest.mark.slow
def test_on_a_talking_face_it_agrees_with_pos_or_is_withheld(real_data) -> None:
    path = real_data / "faces" / "talking_24fps.mp4"
    if not path.is_file():
        pytest.skip("talking_24fps.mp4 is not there")
    judgement = judge(estimate(path, device="cpu"))
    if judgement.hr_bpm is not None:
        assert abs(judgement.hr_bpm - heart_rate(estimate(path, "pos"))) < 5

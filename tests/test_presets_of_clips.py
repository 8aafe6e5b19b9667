"""Presets have the numbers fixed before the first network was trained, and no training seeds."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks.presets_of_clips import FIRST_SEED, PRESETS, write_clip
from emotion_rppg.synthesis.clips import FIRST_TRAINING_SEED
from emotion_rppg.synthesis.people import LAST_PERSON_SEED
from emotion_rppg.video.frames import read_frames


def test_the_moderate_preset_is_frozen() -> None:
    assert asdict(PRESETS["moderate"]) == {
        "clips": 24,
        "seconds": 30.0,
        "rate_hz": 30.0,
        "size": 192,
        "strength": 0.014,
        "jumps_px": 2.0,
        "turns_deg": 1.5,
        "jumps_hz": 0.3,
        "passing": 0.03,
        "screen": 0.025,
        "noise": 2.5,
        "codecs": (("mpeg4", 2), ("hevc", 16), ("vp9", 16)),
    }
    assert FIRST_SEED == 990_001
    assert FIRST_SEED + 24 <= LAST_PERSON_SEED < FIRST_TRAINING_SEED


@pytest.mark.slow
def test_a_clip_is_reproducible_and_its_beats_are_in_its_wave(tmp_path) -> None:
    preset = replace(PRESETS["moderate"], seconds=4.0, size=96)
    for number, (codec, _) in enumerate(preset.codecs):
        first = write_clip(preset, number, tmp_path / "a.mp4")
        again = write_clip(preset, number, tmp_path / "b.mp4")
        assert first.codec == codec
        np.testing.assert_array_equal(first.beats.times_s, again.beats.times_s)
        frames = [[f.image for f in read_frames(tmp_path / name)] for name in ("a.mp4", "b.mp4")]
        assert len(frames[0]) == 120
        np.testing.assert_array_equal(frames[0], frames[1])
        peaks = np.interp(first.beats.times_s, first.wave.times_s, first.wave.samples)
        assert np.median(peaks) > np.percentile(
            first.wave.samples, 75
        )  # a pulse arrives with its beat

"""Real faces: the known rate is found, what shows no face says so."""

from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.methods import chrom, pos
from emotion_rppg.recordings import Video
from emotion_rppg.signal_quality import Judgement, judge
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import read_trace, track_face


def verdicts(path: Path) -> list[Judgement]:
    times, rgb = read_trace(Video(path))
    even = [Signal.from_times(times, channel) for channel in rgb.T]
    trace, rate = np.column_stack([signal.samples for signal in even]), even[0].rate_hz
    return [judge(Signal(method(trace, rate), rate)) for method in (pos, chrom)]


def test_a_known_rate_is_found_and_trusted(real_data: Path) -> None:
    for verdict in verdicts(real_data / "faces" / "known_rate" / "evm_face.mp4"):
        assert verdict.hr_bpm is not None
        assert 50 <= verdict.hr_bpm <= 60
        assert verdict.quality > 0.9


def test_a_talking_face_is_read_alike_by_two_methods_or_not_at_all(real_data: Path) -> None:
    first, second = verdicts(real_data / "faces" / "talking_24fps.mp4")
    if first.hr_bpm is not None and second.hr_bpm is not None:
        assert abs(first.hr_bpm - second.hr_bpm) < 4


def test_a_video_without_a_face_is_refused(real_data: Path) -> None:
    with pytest.raises(InputError, match="no face was found"):
        read_trace(Video(real_data / "faces" / "no_face" / "no_face.mp4"))


def test_a_face_that_goes_away_is_covered_in_part(real_data: Path) -> None:
    path = real_data / "faces" / "no_face" / "face_then_none.mov"
    boxes = [look.box for look in track_face(Video(path))]
    seen = np.array([box is not None for box in boxes])
    assert 0.3 < seen.mean() < 0.5
    assert not seen[len(seen) // 2 :].any()

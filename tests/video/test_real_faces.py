"""Real faces: a known heart rate is estimated; a video without a face is refused."""

from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.methods import chrom, pos
from emotion_rppg.recordings import Video
from emotion_rppg.signal_quality import Judgement, judge
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import read_trace, track_face


def judgements(path: Path) -> list[Judgement]:
    times, rgb = read_trace(Video(path))
    even = [Signal.from_times(times, channel) for channel in rgb.T]
    trace, rate = np.column_stack([signal.samples for signal in even]), even[0].rate_hz
    return [judge(Signal(method(trace, rate), rate)) for method in (pos, chrom)]


@pytest.mark.slow
def test_a_known_rate_is_estimated_and_accepted(real_data: Path) -> None:
    for judgement in judgements(real_data / "faces" / "known_rate" / "evm_face.mp4"):
        assert judgement.hr_bpm is not None
        assert 50 <= judgement.hr_bpm <= 60
        assert judgement.quality > 0.9


@pytest.mark.slow
def test_two_methods_agree_on_a_talking_face_or_one_is_withheld(real_data: Path) -> None:
    first, second = judgements(real_data / "faces" / "talking_24fps.mp4")
    if first.hr_bpm is not None and second.hr_bpm is not None:
        assert abs(first.hr_bpm - second.hr_bpm) < 4


@pytest.mark.slow
def test_a_video_without_a_face_is_refused(real_data: Path) -> None:
    with pytest.raises(InputError, match="no face was found"):
        read_trace(Video(real_data / "faces" / "no_face" / "no_face.mp4"))


@pytest.mark.slow
def test_a_face_that_leaves_has_boxes_in_part_of_the_frames(real_data: Path) -> None:
    path = real_data / "faces" / "no_face" / "face_then_none.mov"
    boxes = [frame.box for frame in track_face(Video(path))]
    detected = np.array([box is not None for box in boxes])
    assert 0.3 < detected.mean() < 0.5
    assert not detected[len(detected) // 2 :].any()

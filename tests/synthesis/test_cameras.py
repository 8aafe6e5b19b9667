"""A written video contains the given frames, or the file does not exist."""

import numpy as np
import pytest

from emotion_rppg.recordings import Video
from emotion_rppg.synthesis.cameras import write_video
from emotion_rppg.video.frames import read_frames

ENDINGS = pytest.mark.parametrize("ending", [".mp4", ".avi"])


@ENDINGS
def test_a_written_video_has_its_frames_in_order_with_their_times(tmp_path, ending) -> None:
    shades = np.arange(20, 220, 10, dtype=np.uint8)
    frames = (np.full((48, 64, 3), (v, v // 2, 20), np.uint8) for v in shades)
    path = write_video(tmp_path / f"v{ending}", frames, 20.0)
    decoded = list(read_frames(Video(path)))
    assert [f.time_s for f in decoded] == pytest.approx(list(np.arange(20) / 20), abs=1e-3)
    for frame, v in zip(decoded, shades, strict=True):
        assert frame.image.shape == (48, 64, 3)
        np.testing.assert_allclose(frame.image.mean((0, 1)), (v, v // 2, 20), atol=6)


@ENDINGS
def test_a_camera_that_fails_midway_leaves_no_file(tmp_path, ending) -> None:
    def breaks():
        yield np.zeros((16, 16, 3), np.uint8)
        raise RuntimeError("camera unplugged")

    with pytest.raises(RuntimeError, match="unplugged"):
        write_video(tmp_path / f"v{ending}", breaks(), 30.0)
    assert not list(tmp_path.iterdir())

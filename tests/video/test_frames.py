"""Frames are upright and streamed with their presentation times; errors name their cause."""

import gc
import logging
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Video
from emotion_rppg.video.frames import describe_video, read_frames

Ffmpeg = Callable[..., Path]


def times(video: Video | Path) -> np.ndarray:
    return np.array([frame.time_s for frame in read_frames(video)])


def test_frames_are_rgb_with_even_times_and_running_indices(clip: Path) -> None:
    frames = list(read_frames(Video(clip)))
    assert [frame.index for frame in frames] == list(range(90))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(90) / 30, atol=1e-6)
    image = frames[0].image
    assert (image.shape, image.dtype) == ((120, 160, 3), np.uint8)


def test_colours_are_red_green_blue(ffmpeg: Ffmpeg) -> None:
    source = "color=c=0xE01020:size=64x64:rate=10:duration=0.5"
    path = ffmpeg("red.avi", "-f", "lavfi", "-i", source, "-c:v", "mjpeg", "-q:v", "2")
    image = next(iter(read_frames(path))).image
    np.testing.assert_allclose(image.mean((0, 1)), [0xE0, 0x10, 0x20], atol=8)


def test_times_of_a_variable_rate_are_those_of_the_frames(clip: Path, ffmpeg: Ffmpeg) -> None:
    keep = "select='lt(n,30)+not(mod(n,3))'"  # 30 a second, then 10
    path = ffmpeg("vfr.mp4", "-i", str(clip), "-vf", keep, "-fps_mode", "vfr")
    wanted = np.array([n / 30 for n in range(90) if n < 30 or n % 3 == 0])
    np.testing.assert_allclose(times(path), wanted, atol=2e-3)


def test_a_container_without_times_falls_back_to_its_rate_with_a_warning(
    clip: Path, ffmpeg: Ffmpeg, caplog: pytest.LogCaptureFixture
) -> None:
    strip = ("-c", "copy", "-bsf:v", "h264_mp4toannexb")
    found = times(ffmpeg("bare.h264", "-i", str(clip), *strip))
    np.testing.assert_allclose(np.diff(found), np.diff(found)[0])
    assert len(found) == 90
    assert np.diff(found)[0] > 0
    assert "no time of its own" in caplog.text


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_rotated_phone_video_gives_upright_frames(clip: Path, ffmpeg: Ffmpeg, turn: int) -> None:
    path = ffmpeg(f"turn{turn}.mp4", "-display_rotation", str(turn), "-i", str(clip), "-c", "copy")
    plain = next(iter(read_frames(clip))).image
    turned = next(iter(read_frames(path))).image
    np.testing.assert_array_equal(turned, np.rot90(plain, turn // 90))
    facts = describe_video(path)
    assert (facts.height, facts.width) == turned.shape[:2]
    assert facts.rotation == 360 - turn


def test_a_segment_has_its_own_clock(clip: Path) -> None:
    all_frames = list(read_frames(Video(clip)))
    part = list(read_frames(Video(clip, start_s=1.0, end_s=2.0)))
    np.testing.assert_allclose([frame.time_s for frame in part], np.arange(30) / 30, atol=1e-6)
    np.testing.assert_array_equal(part[0].image, all_frames[30].image)
    np.testing.assert_array_equal(part[-1].image, all_frames[59].image)


@pytest.mark.parametrize("pixels", ["gray", "bgra"])
def test_grey_and_four_channels_become_rgb(clip: Path, ffmpeg: Ffmpeg, pixels: str) -> None:
    codec = ("-c:v", "ffv1", "-pix_fmt", pixels, "-frames:v", "5")
    frames = list(read_frames(ffmpeg(f"{pixels}.mkv", "-i", str(clip), *codec)))
    assert {frame.image.shape for frame in frames} == {(120, 160, 3)}


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_interlaced_videos_are_decoded_by_ffmpeg(clip: Path, ffmpeg: Ffmpeg, codec: str) -> None:
    weave = ("-vf", "interlace=lowpass=0", "-flags", "+ildct+ilme", "-c:v", codec, "-qscale", "2")
    path = ffmpeg(f"woven_{codec}.mkv", "-i", str(clip), *weave, "-pix_fmt", "yuv420p")
    plain = [f for f in read_frames(clip) if not f.index % 2]
    found = list(read_frames(path))
    assert len(found) == len(plain) == 45
    assert [f.time_s for f in found] == pytest.approx([f.time_s for f in plain], abs=0.04)
    off = [
        np.abs(a.image.astype(int) - b.image.astype(int)).mean()
        for a, b in zip(found, plain, strict=True)
    ]
    assert np.median(off) < 12
    later = list(read_frames(Video(path, 1.0, 2.0)))
    assert len(later) == 15
    np.testing.assert_array_equal(later[0].image, found[15].image)


def test_a_video_of_identical_frames_is_read_unchanged(ffmpeg: Ffmpeg) -> None:
    still = ("-f", "lavfi", "-i", "color=red:size=64x48:rate=10:duration=1")
    path = ffmpeg("still.mp4", *still, "-c:v", "libx264", "-pix_fmt", "yuv420p")
    images = [f.image for f in read_frames(path)]
    assert len(images) == 10
    assert images[0][..., 0].min() > 200 > 50 > images[0][..., 1].max()


def test_a_truncated_file_yields_its_readable_frames_with_a_warning(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truncated = tmp_path / "truncated.mp4"
    truncated.write_bytes(clip.read_bytes()[: clip.stat().st_size * 3 // 5])
    assert 2 <= len(times(truncated)) < 85
    assert "is it cut off?" in caplog.text


def test_a_complete_file_gives_no_warning(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        times(clip)
    assert not caplog.records


def test_memory_of_earlier_frames_is_released(clip: Path) -> None:
    """Memory does not depend on duration: at most two frames are held at any moment."""
    images: list[weakref.ref[np.ndarray]] = []
    most = 0
    for frame in read_frames(Video(clip)):
        images.append(weakref.ref(frame.image))
        del frame
        gc.collect(0)
        most = max(most, sum(image() is not None for image in images))
    assert len(images) == 90
    assert most <= 2


def bad_files(clip: Path, folder: Path, ffmpeg: Ffmpeg) -> dict[str, Path | Video]:
    (folder / "text.mp4").write_text("this is not a video\n" * 500)
    (folder / "empty.mp4").touch()
    return {
        "no such file": folder / "missing.mp4",
        "is a folder": folder,
        "cannot be read as a video": folder / "text.mp4",
        "0 bytes": folder / "empty.mp4",
        "at least 2": ffmpeg("one.mp4", "-i", str(clip), "-frames:v", "1"),
        "between 100 s and its end": Video(clip, start_s=100),
        "1 frame(s) between": Video(clip, start_s=1.0, end_s=1.03),
    }


def test_unreadable_files_raise_errors_that_name_the_cause(
    clip: Path, tmp_path: Path, ffmpeg: Ffmpeg, capfd: pytest.CaptureFixture[str]
) -> None:
    for wanted, path in bad_files(clip, tmp_path, ffmpeg).items():
        with pytest.raises(InputError) as caught:
            list(read_frames(path))
        assert wanted in str(caught.value)
    assert capfd.readouterr().err == ""


def test_the_decoder_prints_nothing_about_truncated_files(clip: Path, tmp_path: Path) -> None:
    """In a separate process, because the decoder sets its log level once."""
    truncated = tmp_path / "truncated.mp4"
    truncated.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    code = (
        "import logging, sys; logging.disable()\n"
        "from emotion_rppg.video.frames import read_frames\n"
        "print(len(list(read_frames(sys.argv[1]))))"
    )
    done = subprocess.run([sys.executable, "-c", code, truncated], capture_output=True, text=True)
    assert done.stderr == ""
    assert int(done.stdout) > 2


def test_a_missing_system_library_is_named(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "cv2":
                raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(InputError, match="libgl1"):
        describe_video(clip)


def test_frames_of_absurd_size_are_refused_before_they_are_decoded(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emotion_rppg.video.frames.MAX_PIXELS", 1000)
    monkeypatch.setattr("emotion_rppg.video.frames._decoded", None)
    for read in (describe_video, lambda path: next(read_frames(path))):
        with pytest.raises(InputError, match=r"has frames of \d+×\d+ pixels, more than"):
            read(clip)


def test_describe_states_size_rate_and_duration(clip: Path) -> None:
    facts = describe_video(clip)
    assert (facts.width, facts.height, facts.frames, facts.rotation) == (160, 120, 90, 0)
    assert facts.rate_hz == pytest.approx(30)
    assert facts.duration_s == pytest.approx(3)


def test_frame_times_of_a_data_set_replace_those_of_the_container(clip: Path, caplog) -> None:
    n = len(list(read_frames(clip)))
    given = np.arange(n) / 25
    given[5] = given[4]  # stamped in a burst
    found = [f.time_s for f in read_frames(Video(clip, 1.0, times=lambda: given))]
    assert len(found) == n - 25
    assert found[1] == pytest.approx(0.04)
    assert not caplog.records
    assert len(list(read_frames(Video(clip, times=lambda: given[:50])))) == 50
    assert "more frames than the 50 with a time" in caplog.text
    with pytest.raises(InputError, match="do not increase"):
        list(read_frames(Video(clip, times=lambda: given[::-1])))


PLAYLISTS = {
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{there}\n#EXT-X-ENDLIST\n",
    "HLS after a mark": "\ufeff\n#EXTM3U\n#EXTINF:5,\n{there}\n",
    "concat": "ffconcat version 1.0\nfile '{there}'\n",
    "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "DASH": '<?xml version="1.0"?><MPD><Period><BaseURL>{there}</BaseURL></Period></MPD>',
    "ASX": '<asx version="3.0"><entry><ref href="{there}"/></entry></asx>',
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("there", ["beside.mp4", "http://127.0.0.1:9/a.mp4"])
def test_a_file_that_only_refers_to_others_is_refused(kind, there, clip: Path, tmp_path) -> None:
    """FFmpeg recognises lists by their content; a video may not make it open anything else."""
    shutil.copy(clip, tmp_path / "beside.mp4")
    path = tmp_path / "face.mp4"
    path.write_text(PLAYLISTS[kind].format(there=there), encoding="utf-8")
    with pytest.raises(InputError, match=r"face\.mp4 is a list of other files"):
        next(read_frames(path))

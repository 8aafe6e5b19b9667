"""Unusual and broken files are read, withheld or refused with a reason; none stops a study."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import extract
from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.tables import read_table
from emotion_rppg.signals import Signal

CLIP = Path(__file__).parents[1] / "data" / "synthetic_clip.mp4"  # 72 beats a minute
H264 = ("-c:v", "libx264", "-crf", "12", "-preset", "ultrafast")
# name -> options of ffmpeg that make it from the clip
READ = {
    "interlaced.mp4": ("-vf", "interlace=lowpass=0", "-flags", "+ildct+ilme", *H264),
    "ten_bits.mp4": ("-pix_fmt", "yuv420p10le", *H264),
    "variable_rate.mp4": ("-vf", "select=not(eq(mod(n\\,7)\\,3))", "-fps_mode", "vfr", *H264),
    "half_range.mov": ("-color_range", "pc", "-c:v", "mjpeg", "-q:v", "2"),
    "grey.mp4": ("-vf", "format=gray", "-pix_fmt", "gray", *H264),
}
WITHHELD = {
    "one_frame_a_second.mp4": ("-r", "1", *H264),
    "four_k.mp4": ("-frames:v", "6", "-vf", "scale=3840:2160", *H264),
}
REFUSED = ("zero_bytes.mp4", "cut_off.mp4", "one_frame.mp4", "words.mp4")


def ffmpeg(*words: str) -> None:
    from imageio_ffmpeg import get_ffmpeg_exe

    subprocess.run([get_ffmpeg_exe(), "-v", "error", "-y", *words], check=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("faulty")
    for name, words in (READ | WITHHELD).items():
        ffmpeg("-t", "10", "-i", str(CLIP), *words, str(place / name))
    ffmpeg("-display_rotation", "90", "-i", str(CLIP), "-c", "copy", str(place / "rotated.mp4"))
    ffmpeg("-i", str(CLIP), "-frames:v", "1", str(place / "one_frame.mp4"))
    (place / "zero_bytes.mp4").write_bytes(b"")
    (place / "words.mp4").write_text("not a video")
    (place / "cut_off.mp4").write_bytes(CLIP.read_bytes()[: CLIP.stat().st_size // 3])
    return place


@pytest.fixture(scope="module")
def extracted(folder, tmp_path_factory) -> tuple[pd.DataFrame, dict[str, str]]:
    """Extract all files: the table, and the reasons of the files that are not in it."""
    out = tmp_path_factory.mktemp("out") / "t.csv"
    words = ["features", str(folder), "--whole", "--region", "full", "--out", str(out), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    failures = json.loads(result.stdout.splitlines()[-1])["failures"]
    table = read_table(out).set_index("subject")
    return table, {f["recording"].split("/")[1]: f["reason"] for f in failures}


@pytest.mark.slow
def test_each_file_is_either_in_the_table_or_among_the_failures(folder, extracted) -> None:
    table, failures = extracted
    assert set(table.index) | set(failures) == {path.stem for path in folder.iterdir()}
    assert not set(table.index) & set(failures)
    assert not [reason for reason in failures.values() if "unexpected" in reason]


@pytest.mark.parametrize("name", [*READ, "rotated.mp4"])
def test_an_unusual_video_is_read(name, extracted) -> None:
    assert extracted[0].loc[Path(name).stem, "hr_bpm"] == pytest.approx(72, abs=2)


@pytest.mark.parametrize("name", WITHHELD)
def test_a_video_without_a_visible_pulse_has_a_reason_instead_of_a_rate(name, extracted) -> None:
    table, failures = extracted
    who = Path(name).stem
    if who not in failures:
        assert np.isnan(table.loc[who, "hr_bpm"])
        assert table.loc[who, "reason"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_video_is_refused_with_its_name(name, folder, extracted) -> None:
    assert name in extracted[1][Path(name).stem]
    alone = CliRunner().invoke(app, ["pulse", str(folder / name), "--method", "pos"])
    assert alone.exit_code == 2
    assert alone.stderr.startswith("emotion-rppg: ")
    assert alone.stderr.count("\n") == 1


# ---- signals -----------------------------------------------------------------------------------

RATE = 64.0
T = np.arange(int(60 * RATE)) / RATE
PULSE = np.sin(2 * np.pi * 1.2 * T) + 0.3 * np.sin(2 * np.pi * 2.4 * T + 0.5)
NOISE = np.random.default_rng(0).normal(0, 1, len(T))
BROKEN = {
    "all missing": np.full(len(T), np.nan),
    "flat": np.zeros(len(T)),
    "flat and far from zero": np.full(len(T), 1e9),
    "flat but for one spike": np.where(np.arange(len(T)) == 700, 1e6, 0.0),
    "clipped to two values": np.sign(PULSE),
    "endless values": np.where(T > 30, np.inf, PULSE),
    "every other sample missing": np.where(np.arange(len(T)) % 2, np.nan, PULSE),
    "noise": NOISE,
    "noise between holes": np.where((T % 20) < 7, np.nan, NOISE),
    "tiny": PULSE * 1e-12,
    "huge": PULSE * 1e12,
    "drifting away": PULSE + T,
    "two samples": PULSE[:2],
    "one second": PULSE[:64],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bvp", "ecg", "rppg"])
@pytest.mark.parametrize("samples", BROKEN.values(), ids=BROKEN)
def test_a_broken_signal_gives_plausible_rates_or_none(samples, kind) -> None:
    recording = Recording("d", "1", signals={kind: Signal(samples, RATE, kind=kind)})
    spare = Recording("d", "2", signals={"bvp": Signal(PULSE, RATE, kind="bvp")})
    table = extract([recording, spare], length_s=30.0, step_s=30.0)
    assert not [f for f in table.attrs["failures"] if "unexpected" in f["reason"]]
    numbers = table.select_dtypes("number").to_numpy()
    assert not np.isinf(numbers).any()
    rates = table["hr_bpm"].dropna()
    assert rates.between(25, 250).all()


@pytest.mark.parametrize("name", ["all missing", "flat", "flat and far from zero"])
@pytest.mark.parametrize("kind", ["bvp", "ecg", "rppg"])
def test_a_signal_without_information_has_no_rate(name, kind) -> None:
    recording = Recording("d", "1", signals={kind: Signal(BROKEN[name], RATE, kind=kind)})
    try:
        table = extract([recording], length_s=30.0)
    except InputError:
        return
    assert table["hr_bpm"].isna().all()
    assert table["rmssd_ms"].isna().all()


def rows(times: np.ndarray, values: np.ndarray) -> str:
    return "time_s,bvp\n" + "\n".join(
        f"{t:.4f},{v:.4f}" for t, v in zip(times, values, strict=True)
    )


def test_a_forward_jump_of_the_clock_is_a_gap_without_rates(tmp_path) -> None:
    (tmp_path / "a.csv").write_text(rows(T + np.where(T > 30, 600.0, 0.0), PULSE))
    table = extract(tmp_path / "a.csv", length_s=15.0, step_s=15.0)
    inside = (table["start_s"] >= 30) & (table["start_s"] + 15 <= 630)
    assert inside.any()
    assert table.loc[inside, "hr_bpm"].isna().all()
    assert table.loc[~inside, "hr_bpm"].dropna().between(71, 73).all()
    assert table["hr_bpm"].notna().sum() >= 2


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (T - np.where(T > 30, 20.0, 0.0), "decreases on line"),
        (T * 1000, "milliseconds"),
        (T + np.where(T > 30, 1e9, 0.0), "jumps by"),
    ],
)
def test_an_implausible_clock_is_refused(times, words, tmp_path) -> None:
    (tmp_path / "a.csv").write_text(rows(times, PULSE))
    with pytest.raises(InputError, match=words):
        extract(tmp_path / "a.csv")

"""What each codec of `record` costs: ``python -m benchmarks.recording VIDEO``.

The video stands for the camera. Each copy is read again: are pixels and times those of the source,
how large is it, how long does encoding take (processor time, with decoding the source), and how far
are wave, heart rate and beats of the copy from those of the source?
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from emotion_rppg import Signal, estimate, find_beats
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.video.frames import read_frames
from emotion_rppg.video.live_capture import FrameClock, replayed
from emotion_rppg.video.recorder import CODECS, Codec, record

METHODS = ("pos", "physnet")


def copied(source: Path, path: Path, codec: Codec) -> tuple[float, float]:
    """Record the source; return processor time of a frame (ms) and MB of a second."""
    clock, begun = FrameClock(), time.process_time()
    frames = replayed(source, paced=False, clock=clock)
    done = record(frames, path, clock=clock, codec=codec, rate_hz=30.0)
    cost_ms = 1e3 * (time.process_time() - begun) / done.frames
    return cost_ms, path.stat().st_size / 1e6 / done.seconds


def is_same(source: Path, path: Path) -> tuple[bool, bool]:
    """Return whether all pixels and all times are the same."""
    pairs = list(zip(read_frames(source), read_frames(path), strict=True))
    pixels = all(np.array_equal(a.image, b.image) for a, b in pairs)
    return pixels, all(a.time_s == b.time_s for a, b in pairs)


def pulse_error(source: Signal, copy: Signal) -> tuple[float, float, float]:
    """Return correlation, difference of heart rates (bpm) and RMS of beat times (ms)."""
    n = min(len(source), len(copy))
    both = np.isfinite(source.samples[:n]) & np.isfinite(copy.samples[:n])
    r = float(np.corrcoef(source.samples[:n][both], copy.samples[:n][both])[0, 1])
    rates = [estimate_heart_rate(wave).hr_bpm or np.nan for wave in (source, copy)]
    true, found = find_beats(source).times_s, find_beats(copy).times_s
    apart = [float(np.abs(found - at).min()) if len(found) else np.nan for at in true]
    return r, rates[1] - rates[0], 1e3 * float(np.sqrt(np.mean(np.square(apart))))


def main(source: Path) -> None:
    """Print a line for each codec and method."""
    waves = {method: estimate(source, method) for method in METHODS}
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in CODECS.items():
            path = Path(folder) / f"{name}.mkv"
            cost_ms, rate_mb = copied(source, path, codec)
            pixels, times = is_same(source, path)
            print(
                f"{name}: {rate_mb:.1f} MB/s, {cost_ms:.1f} ms a frame, pixels "
                f"{'equal' if pixels else 'differ'}, times {'equal' if times else 'differ'}"
            )
            for method, wave in waves.items():
                r, bpm, ms = pulse_error(wave, estimate(path, method))
                print(f"  {method}: r {r:.4f}, heart rate {bpm:+.2f} bpm, beats {ms:.1f} ms RMS")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

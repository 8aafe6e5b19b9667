"""Run `live` for an hour of video time: ``python -m benchmarks.live [VIDEO] [METHOD] [MINUTES]``.

The frames of a short video are repeated forwards and backwards, as fast as they are processed.
Every five minutes of video time, a line shows the memory of the process, the delay behind the
newest frame, and the speed relative to real time.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from emotion_rppg.live import watch
from emotion_rppg.video.frames import Frame
from emotion_rppg.video.live_capture import replayed

CLIP = Path(__file__).parents[1] / "data" / "synthetic_clip.mp4"
EVERY_S = 300.0


def looped(path: Path, minutes: float) -> Iterator[Frame]:
    """Yield the frames of a video forwards and backwards, so that no frame jumps."""
    once = list(replayed(path, paced=False))
    step_s = (once[-1].time_s - once[0].time_s) / (len(once) - 1)
    for index, frame in enumerate(itertools.cycle([*once, *once[-2:0:-1]])):
        if index * step_s > 60 * minutes:
            return
        yield Frame(index, index * step_s, frame.image)


def memory_mb() -> float:
    """Return the resident memory of this process, MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main(path: Path = CLIP, method: str = "pos", minutes: float = 60.0) -> None:
    """Print memory, delay and speed every five minutes of video time."""
    begun, due, late = time.perf_counter(), EVERY_S, 0.0
    print(f"{minutes:g} minutes of {path.name} by {method}")
    for reading in watch(looped(path, minutes), method):
        late = max(late, reading.delay_s)
        if reading.time_s >= due:
            speed = reading.time_s / (time.perf_counter() - begun)
            print(
                f"  {due / 60:3.0f} min: {memory_mb():5.0f} MB, at most {late:.2f} s behind, "
                f"{speed:.1f}× real time",
                flush=True,
            )
            due += EVERY_S


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        Path(given[0]) if given else CLIP,
        given[1] if len(given) > 1 else "pos",
        float(given[2]) if len(given) > 2 else 60.0,
    )

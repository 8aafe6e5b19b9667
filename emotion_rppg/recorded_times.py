"""Name and read the table of frames beside a recorded video: the time stamp of each frame.

`emotion-rppg record` writes NAME.frames.csv beside NAME.mkv, a row for each frame. The container
rounds times to a millisecond; the table has them in full, on the clocks of the computer as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

ENDING = ".frames.csv"
COLUMNS = ("frame", "time_s", "monotonic_s", "unix_s")
ROUNDING_S = 0.75e-3  # a container's time is at most half a millisecond from that of the table


def frame_table_path(video: Path) -> Path:
    """Return NAME.frames.csv, the table of the frames of a video NAME.mkv."""
    return video.with_name(video.stem + ENDING)


@dataclass(frozen=True)
class RecordedTimes:
    """Read the times of the frames, s from the first one, (n,), from a table of frames.

    A table that another program wrote, or one with damaged rows, gives the times before these rows:
    a killed recorder may leave half a row.
    """

    path: Path

    def __call__(self) -> np.ndarray:
        """Read the column ``time_s``."""
        times: list[float] = []
        with self.path.open(encoding="utf-8", errors="replace") as file:
            if tuple(file.readline().strip().split(",")) != COLUMNS:
                return np.array(times)
            for line in file:
                cells = line.split(",")
                try:
                    time_s = float(cells[1]) if len(cells) == len(COLUMNS) else np.nan
                except ValueError:
                    break
                if not np.isfinite(time_s) or (times and time_s <= times[-1]):
                    break
                times.append(time_s)
        return np.array(times)

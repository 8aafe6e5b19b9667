"""``make bench``: every measurement there is data for. Ratios are taken side by side in one run."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks import beats, memory, presets, reliability, speed

FOLDER = os.environ.get("EMOTION_RPPG_DATA", "")


def main() -> None:
    print("# Speed and memory\n")
    speed.main()
    print("\n# Waves of the frozen test clips\n")
    presets.main(["pos", "physnet"])
    print("\n# How far back recurrent networks look")
    memory.main()
    print("\n# Beats and HRV\n")
    if Path(FOLDER, "rppg_waveforms").is_dir():
        beats.main(Path(FOLDER))
        print("\n# Quality of real waves, by which a rate is given or withheld")
        known = reliability.real(Path(FOLDER))
        reliability.told(known)
        reliability.tables(known)
    else:
        print("not measured: set EMOTION_RPPG_DATA to the folder of real recordings")


if __name__ == "__main__":
    main()

"""Run all benchmarks whose data is available (``make bench``).

Ratios are measured side by side in one run.
"""

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
    print("\n# Memory of recurrent networks")
    memory.main()
    print("\n# Beats and HRV\n")
    if Path(FOLDER, "rppg_waveforms").is_dir():
        beats.main(Path(FOLDER))
        print("\n# Quality of real waves, by which a heart rate is reported or withheld")
        waves = reliability.real(Path(FOLDER))
        reliability.rate_errors(waves)
        reliability.tables(waves)
    else:
        print("not measured: set EMOTION_RPPG_DATA to the folder of real recordings")


if __name__ == "__main__":
    main()

"""A fake of PURE: a folder of images with timestamps and a JSON file for each recording."""

import json
from pathlib import Path

from tests.datasets.fakes.shared import (
    DECOY_BPM,
    pulse,
    rate_of,
    skin_images,
    write_images,
    write_truth,
)

RATE_HZ, VIDEO_HZ = 60.0, 30.0


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with two setups; the pulse begins a second before the video."""
    truth = {}
    for k, name in enumerate(("01-01", "01-02", "02-01")):
        bpm, begin = rate_of(k), 1392643993642815000 + k
        place = Path(folder) / name
        stamps = [begin + round(i / VIDEO_HZ * 1e9) for i in range(int(seconds * VIDEO_HZ))]
        clip = skin_images(bpm, seconds, VIDEO_HZ)
        write_images(place / name, [f"Image{s}.png" for s in stamps], clip)
        wave = pulse(bpm, seconds + 2, RATE_HZ)
        rows = [
            {
                "Timestamp": begin - 10**9 + round(i / RATE_HZ * 1e9),
                "Value": {"waveform": round(50 + 20 * v), "pulseRate": int(DECOY_BPM)},
            }
            for i, v in enumerate(wave)
        ]
        content = {"/FullPackage": rows, "/Image": [{"Timestamp": s} for s in stamps]}
        (place / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        truth[f"pure/{name[:2]}/1/{name[3:]}"] = {"bvp": bpm}
    return write_truth(folder, truth)

"""A fake of VIPL-HR: folders by person, scene and camera."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import pulse, rate_of, write_face, write_truth


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with a webcam whose container has a wrong rate, one also with a phone."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    for person, scene, source in ((2, 1, 1), (2, 10, 1), (10, 1, 1), (10, 1, 2), (10, 1, 4)):
        place = folder / f"data/p{person}/v{scene}/source{source}"
        place.mkdir(parents=True)
        if source == 4:
            (place / "video.avi").touch()
            continue
        bpm, rate = rate_of(len(truth)), 25 if source == 1 else 30
        truth[f"vipl-hr/{person}/v{scene}/source{source}"] = {"bvp": bpm}
        video_wave = pulse(bpm, seconds, rate)
        write_face(place / "video.avi", video_wave, 30.0)
        if source == 1:
            np.savetxt(place / "time.txt", 1e3 * np.arange(len(video_wave)) / rate, "%d")
        wave = pulse(bpm, seconds, 60)
        np.savetxt(place / "wave.csv", wave, "%.3f", header="Wave", comments="")
        for name, decoy in (("HR", 80), ("SpO2", 97)):
            path = place / f"gt_{name}.csv"
            np.savetxt(path, [decoy] * seconds, "%d", header=name, comments="")
    return write_truth(folder, truth)

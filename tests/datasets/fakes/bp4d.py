"""A fake of BP4D+: a zip archive of images and blood pressure at 1,000 Hz for each person."""

import zipfile
from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import (
    DECOY_BPM,
    encode_image,
    pulse,
    rate_of,
    skin_images,
    write_truth,
)

VIDEO_HZ = 25.0


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people, of whom one has two tasks; the mean pressure has the decoy's rate."""
    folder, truth = Path(folder), {}
    (folder / "2D+3D").mkdir(parents=True)
    for k, (person, task) in enumerate((("F001", 2), ("F001", 10), ("M001", 2))):
        bpm, place = rate_of(k), folder / "Physiology" / person / f"T{task}"
        place.mkdir(parents=True)
        np.savetxt(place / "BP_mmHg.txt", 90 + 20 * pulse(bpm, seconds, 1000), "%.2f")
        np.savetxt(place / "LA Mean BP_mmHg.txt", pulse(DECOY_BPM, seconds, 1000), "%.2f")
        with zipfile.ZipFile(folder / "2D+3D" / f"{person}.zip", "a") as archive:
            for i, image in enumerate(skin_images(bpm, seconds, VIDEO_HZ)):
                archive.writestr(f"{person}/T{task}/{i}.jpg", encode_image(image, ".jpg"))
        truth[f"bp4d-plus/{person}/1/{task:02d}"] = {"bvp": bpm}
    return write_truth(folder, truth)

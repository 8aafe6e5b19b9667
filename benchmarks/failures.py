"""Draw recordings that fail, and why: ``python -m benchmarks.failures FOLDER``.

Each case is a drawn video or a contact signal with one fault. For each a picture of its wave (grey:
where the quality is below 0.6) is written into the folder, and a row of the table of
``docs/failures.md`` is printed: what is reported, or the reason why it is withheld. The truth is 72
bpm in all cases that have a pulse. The faces are drawn from one photograph in the public domain.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from emotion_rppg import Signal, Video, estimate, find_beats
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.signal_quality import LEAST_QUALITY, sample_quality
from emotion_rppg.synthesis.cameras import Camera, film, write_video
from emotion_rppg.synthesis.faces import face
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import bvp, ecg

RATE_HZ, SECONDS, SIZE, BPM = 30.0, 20.0, 128, 72.0
SHOWN_S = 12.0

Images = Iterator[np.ndarray]


def clip(
    folder: Path,
    *,
    strength: float = 0.005,
    seconds: float = SECONDS,
    change: Callable[[np.ndarray, float], np.ndarray] | None = None,
    crf: int = 12,
) -> Signal:
    """Draw a video of a face, change each image by a function of the time in s, and read it."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * BPM / 60 * times + 0.3 * np.sin(0.5 * times)
    wave = np.sin(phase) + 0.3 * np.sin(2 * phase - 1)
    still = Camera(motion_px=0.4, light=0.004, noise=2.0)

    def images() -> Images:
        drawn = film(face(0.3, size=SIZE, strength=strength), wave, RATE_HZ, still)
        for time, image in zip(times, drawn, strict=True):
            yield image if change is None else change(image, float(time))

    return estimate(Video(write_video(folder / "clip.mp4", images(), RATE_HZ, crf=crf)))


def trembling(image: np.ndarray, time_s: float) -> np.ndarray:
    """Shift an image as a hand that holds the camera does."""
    shift = round(9 * np.sin(2 * np.pi * 1.3 * time_s)), round(8 * np.sin(2 * np.pi * 1.6 * time_s))
    return np.roll(image, shift, axis=(0, 1))


def flickering(image: np.ndarray, time_s: float) -> np.ndarray:
    """Change the light of the whole image, as a lamp whose flicker the camera aliases."""
    gain = 1 + 0.12 * np.sin(2 * np.pi * 1.6 * time_s)
    return np.clip(image * gain + 0.5, 0, 255).astype(np.uint8)


def dark(image: np.ndarray, time_s: float) -> np.ndarray:
    """Darken an image to a twenty-fifth."""
    del time_s
    return (image / 25).astype(np.uint8)


def turned_away(image: np.ndarray, time_s: float) -> np.ndarray:
    """Replace the image by a wall for twelve of twenty seconds."""
    return np.full_like(image, 120) if 3 < time_s < 15 else image


def contact(kind: str, fault: str) -> Signal:
    """Generate a contact signal with a fault."""
    person = heart(Person(7), 5.0, 5.0, 60.0)
    signal = (bvp if kind == "bvp" else ecg)(person)
    samples, n = signal.samples.copy(), len(signal)
    draw = np.random.default_rng(0)
    if fault == "flat":
        samples[: n // 2] = samples[0]
    elif fault == "clipped":
        samples = np.clip(samples, *np.quantile(samples, [0.45, 0.55]))
    elif fault == "lead off":
        samples[n // 5 :] = draw.normal(0, 0.02, n - n // 5)
    return Signal(samples, signal.rate_hz, kind=kind)


CASES: dict[str, tuple[str, Callable[[Path], Signal]]] = {
    "good": ("a still face, for comparison", clip),
    "trembling": ("a hand trembles with the camera", lambda f: clip(f, change=trembling)),
    "flicker": ("a lamp flickers", lambda f: clip(f, change=flickering)),
    "dark": ("too dark", lambda f: clip(f, change=dark)),
    "compressed": ("a messenger compressed the video", lambda f: clip(f, crf=44)),
    "photograph": ("a photograph, no living face", lambda f: clip(f, strength=0.0)),
    "away": ("the face leaves the picture", lambda f: clip(f, change=turned_away)),
    "short": ("five seconds", lambda f: clip(f, seconds=5.0)),
    "flat": ("a finger sensor that lost the skin", lambda _: contact("bvp", "flat")),
    "clipped": ("a finger sensor at its limits", lambda _: contact("bvp", "clipped")),
    "lead_off": ("an electrode came off", lambda _: contact("ecg", "lead off")),
}


def draw(wave: Signal, path: Path) -> None:
    """Draw the first seconds of a wave, grey where its quality is too low, with its beats."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 1.1), layout="constrained")
    axis = figure.subplots()
    piece = wave.crop(wave.start_s, wave.start_s + SHOWN_S)
    clear = piece.quality >= LEAST_QUALITY  # type: ignore[operator]
    for mask, colour in ((~clear, "0.65"), (clear, "C0")):
        axis.plot(piece.times_s, np.where(mask, piece.samples, np.nan), color=colour, lw=1)
    beats = find_beats(wave).times_s
    beats = beats[beats < wave.start_s + SHOWN_S]
    heights = np.interp(beats, piece.times_s, np.nan_to_num(piece.samples))
    axis.plot(beats, heights, "o", color="black", ms=2.5)
    axis.set(yticks=[], xlim=(wave.start_s, wave.start_s + SHOWN_S))
    axis.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(path, dpi=70)


def main(folder: Path) -> None:
    """Write the pictures and print the table."""
    folder.mkdir(parents=True, exist_ok=True)
    print("| recording | the first 12 s | quality | reported |\n|---|---|---|---|")
    for name, (what, make) in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            try:
                wave = make(Path(scratch))
            except InputError as error:
                print(f"| {what} | | | {error} |")
                continue
        if wave.quality is None:
            wave = Signal(wave.samples, wave.rate_hz, kind=wave.kind, quality=sample_quality(wave))
        found = estimate_heart_rate(wave)
        reported = f"{found.hr_bpm:.1f} bpm" if found.hr_bpm else f"withheld: {found.reason}"
        draw(wave, folder / f"failure_{name}.png")
        picture = f"![{what}: wave, grey where it is not trusted](images/failure_{name}.png)"
        print(f"| {what} | {picture} | {found.quality:.2f} | {reported} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

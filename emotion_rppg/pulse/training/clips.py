"""Where a pulse network's clips come from: synthetic people, or recordings split by person."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.inference.overlap_add import pictures_at
from emotion_rppg.pulse.training.config import Recipe
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import track_face

ClipSource = Callable[[int], tuple[np.ndarray, np.ndarray]]
People = Mapping[str, Sequence[str]]
HELD_OUT_CLIPS = 16  # on which the loss is taken


class Sources(NamedTuple):
    """Clips to learn from and clips held out (None without ``validation``), and whose they are.

    ``people`` has both: weights that were chosen on somebody must not be tested on them either.
    """

    clips: ClipSource
    validation: ClipSource | None
    people: People | str


def sources(
    recordings: Sequence[Recording] | None, recipe: Recipe, *, cache: Cache | None = None
) -> Sources:
    """Of recordings, or synthetic (None), as the recipe splits them.

    ``cache`` keeps the face pictures of the recordings' videos for later trainings.
    """
    learned, held_out = recordings, None
    if recordings is not None and recipe.validation:
        learned, held_out = split_people(recordings, recipe)
    if learned is None:
        clips, people = synthetic_clips(recipe)
    else:
        clips, people = recording_clips(learned, recipe, cache=cache)
    if not recipe.validation:
        return Sources(clips, None, people)
    if held_out is None:
        seen = recipe.steps * recipe.batch_size
        return Sources(clips, lambda index: clips(seen + index), people)
    validation, others = recording_clips(held_out, recipe, cache=cache)
    return Sources(clips, validation, together(people, others))


def split_people(
    recordings: Sequence[Recording], recipe: Recipe
) -> tuple[list[Recording], list[Recording]]:
    """Recordings to learn from, and those of the share of people who are held out (one or more)."""
    usable = [r for r in recordings if r.video is not None and "bvp" in r.signals]
    people = sorted({r.person for r in usable})
    if len(people) < 2:
        raise InputError(
            f"{len(people)} people with a video beside a contact pulse (bvp): to hold some out, "
            "want two or more, or validation 0"
        )
    n = min(max(round(recipe.validation * len(people)), 1), len(people) - 1)
    order = np.random.default_rng((recipe.seed, 11)).permutation(len(people))
    held_out = {people[k] for k in order[:n]}
    return (
        [r for r in usable if r.person not in held_out],
        [r for r in usable if r.person in held_out],
    )


def together(people: People | str, more: People | str) -> dict[str, list[str]] | str:
    """Whom two trainings saw, one after the other; unknown if either is."""
    if isinstance(people, str) or isinstance(more, str):
        return "unknown"
    sets = sorted({*people, *more})
    return {name: sorted({*people.get(name, ()), *more.get(name, ())}) for name in sets}


def as_tensors(pair: tuple[np.ndarray, np.ndarray]) -> tuple[Tensor, Tensor]:
    """Clip (frames, h, w, 3) and wave -> (3, frames, h, w) of 0–255 and (frames,)."""
    clip, wave = pair
    pixels = torch.from_numpy(np.ascontiguousarray(clip.transpose(3, 0, 1, 2)))
    return pixels.float(), torch.as_tensor(wave, dtype=torch.float32)


def synthetic_clips(recipe: Recipe) -> tuple[ClipSource, dict[str, list[str]]]:
    """Endless clips of people that never were, and their seeds for ``trained_on``.

    Those after the last step's are held out, where the recipe wants validation.
    """
    from emotion_rppg.synthesis.clips import FIRST_TRAINING_SEED, training_clip

    first = FIRST_TRAINING_SEED + recipe.seed * 10_000_000

    def source(index: int) -> tuple[np.ndarray, np.ndarray]:
        return training_clip(
            first + index,
            frames=recipe.frames,
            size=recipe.size,
            rate_hz=recipe.rate_hz,
            varied=math.floor((index + 1) * recipe.varied) > math.floor(index * recipe.varied),
        )

    count = recipe.steps * recipe.batch_size + (HELD_OUT_CLIPS if recipe.validation else 0)
    return source, {"synthetic-clips": [f"{first}-{first + count - 1}"]}


def recording_clips(
    recordings: Sequence[Recording], recipe: Recipe, *, cache: Cache | None = None
) -> tuple[ClipSource, dict[str, list[str]]]:
    """Clips from those recordings that have a video and a contact pulse, and the people in them.

    Each recording's face is followed once and kept as small pictures; a clip is a random stretch
    in which the face was seen throughout.
    """
    stretches: list[tuple[np.ndarray, np.ndarray]] = []
    people: dict[str, list[str]] = {}
    for r in recordings:
        if r.video is None or "bvp" not in r.signals:
            continue
        found = [(c, w) for c, w in _paired(r, recipe, cache) if len(w) >= recipe.frames]
        stretches += found
        if found and r.subject not in people.setdefault(r.dataset, []):
            people[r.dataset].append(r.subject)
    if not stretches:
        raise InputError(
            f"none of {len(recordings)} recordings has {recipe.frames} frames of a seen face "
            "beside a contact pulse (bvp)"
        )
    shares = np.array([len(w) for _, w in stretches], dtype=float)

    def source(index: int) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng((recipe.seed, index))
        clip, wave = stretches[draw.choice(len(stretches), p=shares / shares.sum())]
        at = draw.integers(0, len(wave) - recipe.frames + 1)
        return clip[at : at + recipe.frames], wave[at : at + recipe.frames]

    return source, people


def _paired(
    recording: Recording, recipe: Recipe, cache: Cache | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stretches of seen face, uint8 (frames, size, size, 3), with the contact pulse beneath."""
    assert recording.video is not None
    bvp = recording.read("bvp")
    bvp = bvp.bandpass(0.5, min(8.0, 0.45 * bvp.rate_hz))
    face = _face(recording.video, recipe, cache)
    times = face["start_s"] + np.arange(len(face["pictures"])) / recipe.rate_hz
    wave = np.interp(times, bvp.times_s, bvp.samples, left=np.nan, right=np.nan)
    seen = Signal(np.where(face["seen"], wave, np.nan), recipe.rate_hz)
    return [(face["pictures"][a:b], wave[a:b]) for a, b in seen.runs()]


def _face(video: Video, recipe: Recipe, cache: Cache | None) -> Mapping[str, np.ndarray]:
    """A video's face as uint8 ``pictures`` (n, size, size, 3) from ``start_s``, where ``seen``."""
    if cache is None:
        return _followed(video, recipe)
    key = fingerprint("face", video, recipe.size, recipe.rate_hz)
    kept = cache.get(key)
    if not isinstance(kept, dict):
        kept = _followed(video, recipe)
        cache.put(key, kept)
    return kept


def _followed(video: Video, recipe: Recipe) -> dict[str, np.ndarray]:
    start, stream = pictures_at(track_face(video), size=recipe.size, rate_hz=recipe.rate_hz)
    blank = np.zeros((recipe.size, recipe.size, 3), np.uint8)
    found = [None if p is None else np.rint(p).astype(np.uint8) for p in stream]
    return {
        "pictures": np.stack([blank if p is None else p for p in found]),
        "seen": np.array([p is not None for p in found]),
        "start_s": np.array(start),
    }

"""Provide training clips for a pulse network, from synthetic faces or from recordings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from emotion_rppg.errors import InputError
from emotion_rppg.pulse import DONORS
from emotion_rppg.pulse.inference.overlap_add import face_crops
from emotion_rppg.pulse.training.config import TrainingConfig
from emotion_rppg.pulse.training.donors import Donor, donor_clip
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import track_face

ClipSource = Callable[[int], tuple[np.ndarray, np.ndarray]]
People = Mapping[str, Sequence[str]]
HELD_OUT_CLIPS = 16  # on which the validation loss is computed


class Sources(NamedTuple):
    """Training clips, validation clips (None without validation), and the people in both.

    ``people`` includes those held out: weights that were selected on a person must not be tested on
    that person either.
    """

    clips: ClipSource
    validation: ClipSource | None
    people: People | str


def sources(
    recordings: Sequence[Recording] | None,
    recipe: TrainingConfig,
    *,
    cache: Cache | None = None,
    donors: Sequence[Donor] = (),
) -> Sources:
    """Make training and validation clips from recordings, or synthetic ones (None).

    ``cache`` stores the face crops of the recordings' videos for later trainings. ``donors`` give a
    share ``recipe.donors`` of the synthetic clips.
    """
    training, held_out = recordings, None
    if recordings is not None and recipe.validation:
        training, held_out = split_people(recordings, recipe)
    if training is None:
        clips, people = synthetic_clips(recipe, donors)
    else:
        clips, people = recording_clips(training, recipe, cache=cache)
    if not recipe.validation:
        return Sources(clips, None, people)
    if held_out is None:
        used = recipe.steps * recipe.batch_size
        return Sources(clips, lambda index: clips(used + index), people)
    validation, others = recording_clips(held_out, recipe, cache=cache)
    return Sources(clips, validation, merge_people(people, others))


def split_people(
    recordings: Sequence[Recording], recipe: TrainingConfig
) -> tuple[list[Recording], list[Recording]]:
    """Split recordings by person: those for training, and those of the people held out.

    At least one person is held out.

    Raises
    ------
    InputError
        Fewer than two people with a video and a contact pulse.
    """
    usable = [r for r in recordings if r.video is not None and "bvp" in r.signals]
    people = sorted({r.person for r in usable})
    if len(people) < 2:
        raise InputError(
            f"{len(people)} people with a video and a contact pulse (bvp): to hold some out, want "
            "two or more, or validation 0"
        )
    n = min(max(round(recipe.validation * len(people)), 1), len(people) - 1)
    order = np.random.default_rng((recipe.seed, 11)).permutation(len(people))
    held_out = {people[k] for k in order[:n]}
    return (
        [r for r in usable if r.person not in held_out],
        [r for r in usable if r.person in held_out],
    )


def merge_people(people: People | str, more: People | str) -> dict[str, list[str]] | str:
    """Merge the people of two successive trainings; unknown if either is."""
    if isinstance(people, str) or isinstance(more, str):
        return "unknown"
    sets = sorted({*people, *more})
    return {name: sorted({*people.get(name, ()), *more.get(name, ())}) for name in sets}


def as_tensors(pair: tuple[np.ndarray, np.ndarray]) -> tuple[Tensor, Tensor]:
    """Convert a clip (frames, h, w, 3) and its wave to tensors (3, frames, h, w) and (frames,)."""
    clip, wave = pair
    pixels = torch.from_numpy(np.ascontiguousarray(clip.transpose(3, 0, 1, 2)))
    return pixels.float(), torch.as_tensor(wave, dtype=torch.float32)


def synthetic_clips(
    recipe: TrainingConfig, donors: Sequence[Donor] = ()
) -> tuple[ClipSource, dict[str, list[str]]]:
    """Make a source of synthetic clips, and return it with their seeds for ``trained_on``.

    With validation, the clips after those of the last step are held out.

    Raises
    ------
    InputError
        A share of clips from donors without donors, or donors without a share.
    """
    if bool(donors) != (recipe.donors > 0):
        raise InputError(
            f"{len(donors)} donor videos and a share of {recipe.donors:g} of the clips from them: "
            "want both or neither"
        )
    from emotion_rppg.synthesis.clips import FIRST_TRAINING_SEED, training_clip
    from emotion_rppg.synthesis.close_ups import OVERSAMPLING, close_up
    from emotion_rppg.synthesis.head_clips import head_clip

    first = FIRST_TRAINING_SEED + recipe.seed * 10_000_000
    shape: dict[str, Any] = {"frames": recipe.frames, "rate_hz": recipe.rate_hz}

    def head(index: int, seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        before = math.floor(index * recipe.rendered)  # heads before this one
        pulse = not _chosen(before, recipe.pulseless)
        return head_clip(seed, pulse=pulse, size=size, **shape)

    def drawn(seed: int, size: int, *, varied: bool) -> tuple[np.ndarray, np.ndarray]:
        return training_clip(seed, varied=varied, size=size, **shape)

    # share of the clips that are left, and how one is made from its number, seed and size
    kinds: list[tuple[float, Callable[[int, int, int], tuple[np.ndarray, np.ndarray]]]] = [
        (recipe.donors, lambda _, seed, size: donor_clip(donors, seed, size=size, **shape)),
        (recipe.rendered, head),
        (recipe.varied, lambda _, seed, size: drawn(seed, size, varied=True)),
        (1.0, lambda _, seed, size: drawn(seed, size, varied=False)),
    ]

    def clip_of(index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        seed = first + index
        for share, make in kinds:
            if _chosen(index, share):
                return make(index, seed, size)
            index -= math.floor(index * share)  # the number of this clip among the others
        raise AssertionError("the last kind has all remaining clips")

    def source(index: int) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng((first + index, 41))
        if draw.uniform() >= recipe.close_ups:
            return clip_of(index, recipe.size)
        clip, wave = clip_of(index, OVERSAMPLING * recipe.size)
        return close_up(draw, clip, recipe.size), wave

    count = recipe.steps * recipe.batch_size + (HELD_OUT_CLIPS if recipe.validation else 0)
    people = {"synthetic-clips": [f"{first}-{first + count - 1}"]}
    if donors:
        people[DONORS] = sorted({donor.name for donor in donors})
    return source, people


def _chosen(index: int, share: float) -> bool:
    """Tell whether an item is one of a share of all, which are evenly spread."""
    return math.floor((index + 1) * share) > math.floor(index * share)


def recording_clips(
    recordings: Sequence[Recording], recipe: TrainingConfig, *, cache: Cache | None = None
) -> tuple[ClipSource, dict[str, list[str]]]:
    """Make a source of clips from recordings with a video and a contact pulse.

    The face of each recording is tracked once and stored as small crops; a clip is a random stretch
    of uninterrupted face track. Returns the source and ``{data set: [subjects]}``.

    Raises
    ------
    InputError
        No recording has such a stretch.
    """
    stretches: list[tuple[np.ndarray, np.ndarray]] = []
    people: dict[str, list[str]] = {}
    for r in recordings:
        if r.video is None or "bvp" not in r.signals:
            continue
        found = [(c, w) for c, w in _clips_with_pulse(r, recipe, cache) if len(w) >= recipe.frames]
        stretches += found
        if found and r.subject not in people.setdefault(r.dataset, []):
            people[r.dataset].append(r.subject)
    if not stretches:
        raise InputError(
            f"none of {len(recordings)} recordings has {recipe.frames} frames with a face and a "
            "contact pulse (bvp): want videos with a signal bvp, or fewer frames a clip"
        )
    shares = np.array([len(w) for _, w in stretches], dtype=float)

    def source(index: int) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng((recipe.seed, index))
        clip, wave = stretches[draw.choice(len(stretches), p=shares / shares.sum())]
        at = draw.integers(0, len(wave) - recipe.frames + 1)
        return clip[at : at + recipe.frames], wave[at : at + recipe.frames]

    return source, people


def _clips_with_pulse(
    recording: Recording, recipe: TrainingConfig, cache: Cache | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """List stretches of face crops, uint8 (frames, size, size, 3), with their contact pulse."""
    assert recording.video is not None
    bvp = recording.read("bvp")
    bvp = bvp.bandpass(0.5, min(8.0, 0.45 * bvp.rate_hz))
    face = _face(recording.video, recipe, cache)
    times = face["start_s"] + np.arange(len(face["crops"])) / recipe.rate_hz
    wave = np.interp(times, bvp.times_s, bvp.samples, left=np.nan, right=np.nan)
    covered = Signal(np.where(face["covered"], wave, np.nan), recipe.rate_hz)
    return [(face["crops"][a:b], wave[a:b]) for a, b in covered.runs()]


def _face(video: Video, recipe: TrainingConfig, cache: Cache | None) -> Mapping[str, np.ndarray]:
    """Crop a video's face, from the cache if it is there.

    Returns ``crops``, uint8 (n, size, size, 3); ``covered``, whether each has a face; ``start_s``.
    """
    if cache is None:
        return _track(video, recipe)
    key = fingerprint("face crops", video, recipe.size, recipe.rate_hz)
    cached = cache.get(key)
    if not isinstance(cached, dict):
        cached = _track(video, recipe)
        cache.put(key, cached)
    return cached


def _track(video: Video, recipe: TrainingConfig) -> dict[str, np.ndarray]:
    """Track and crop a video's face; returns as `_face`."""
    start, stream = face_crops(track_face(video), size=recipe.size, rate_hz=recipe.rate_hz)
    blank = np.zeros((recipe.size, recipe.size, 3), np.uint8)
    found = [None if p is None else np.rint(p).astype(np.uint8) for p in stream]
    return {
        "crops": np.stack([blank if p is None else p for p in found]),
        "covered": np.array([p is not None for p in found]),
        "start_s": np.array(start),
    }

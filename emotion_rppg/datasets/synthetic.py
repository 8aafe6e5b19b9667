"""An affective study of synthetic people, written as real files; a functional check, no evidence.

Every trial has a face video, an ECG and a contact PPG of one heart, ratings of arousal and
valence on 1–9, and beside them the truth that a real study never has.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from emotion_rppg.checkpoints import PACKAGE, whole_folder
from emotion_rppg.datasets.folder import Folder
from emotion_rppg.datasets.manifest import FACTS, MANIFEST, SYNTHETIC
from emotion_rppg.errors import InputError
from emotion_rppg.parallel import in_order
from emotion_rppg.recordings import Card
from emotion_rppg.synthesis import waves
from emotion_rppg.synthesis.cameras import Camera, film, write_video
from emotion_rppg.synthesis.faces import face
from emotion_rppg.synthesis.people import Person, heart

NAME, TRUTH = SYNTHETIC, "truth"
RATED = (1, 9)  # what hearts answer to
_CONTACT_HZ = 128.0


class Synthetic(Folder):
    """A folder that `write_study` made."""

    card = Card(
        name=NAME,
        title="Synthetic people",
        people=None,
        modalities=("video", "bvp", "ecg"),
        rates_hz={"video": 30.0, "bvp": _CONTACT_HZ, "ecg": _CONTACT_HZ},
        scales={"arousal": RATED, "valence": RATED},
        access="made on the spot: emotion-rppg demo",
        licence="MIT; the face is NASA's, public domain",
        reference="",
        traps=("hearts obey the ratings by construction: scores on it are no evidence",),
        verified="verified on real files",
    )


def write_study(
    folder: str | Path,
    *,
    people: int = 8,
    trials: int = 4,
    duration_s: float = 60.0,
    size: int = 160,
    rate_hz: float = 30.0,
    camera: Camera | None = None,
    video: bool = True,
    scale: tuple[float, float] = RATED,
    strength: float = 1.0,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a study: videos, contact signals, manifest and truth; whole or not at all.

    Person ``i`` has the seed ``1 + 1000 · seed + i``, which is also their name. Each person's
    trials go round the four quadrants of arousal and valence, in an order of their own.

    Parameters
    ----------
    size : int
        Pixels a side of the square video, even.
    video : bool
        False: contact signals alone, which takes no time.
    scale : tuple of float
        Lowest and highest rating, of arousal and of valence.
    strength : float
        How far hearts follow the ratings; 0: not at all, and nothing can be learned.
    progress : function, optional
        Called with the trials that are done and all of them.
    """
    if not (people >= 1 and trials >= 1 and duration_s >= 2 and size >= 16 and size % 2 == 0):
        raise InputError(
            f"cannot make {people} people × {trials} trials × {duration_s:g} s at {size} pixels: "
            "want at least one of each, 2 s, and an even size from 16 on"
        )
    if people > 1000 or trials > 100 or not 0 <= seed < 999:
        raise InputError(
            f"cannot make {people} people × {trials} trials from seed {seed}: want at most 1000 "
            "and 100 from a seed of 0–998, so that no two studies share a person"
        )
    if not (scale[0] < scale[1] and strength >= 0):
        raise InputError(
            f"cannot rate on {scale[0]:g}–{scale[1]:g} with a strength of {strength:g}: want a "
            "lowest below the highest, and a strength of 0 or more"
        )
    plans = [
        (1 + 1000 * seed + i, k, *_ratings(1 + 1000 * seed + i, k, trials))
        for i in range(people)
        for k in range(trials)
    ]
    with whole_folder(folder) as fresh:
        for name in ("videos", "signals", TRUTH):
            (fresh / name).mkdir()
        how = (duration_s, size, rate_hz, camera or Camera(), video, scale, strength)
        jobs = ((fresh, plan, *how) for plan in plans)
        rows = []
        for row in in_order(_trial, jobs, workers=workers):
            rows.append(row)
            if progress is not None:
                progress(len(rows), len(plans))
        columns = "subject,session,trial,video,signal,label_arousal,label_valence"
        (fresh / MANIFEST).write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
        scales = {name: list(scale) for name in Synthetic.card.scales}
        facts = {"dataset": NAME, "written_by": PACKAGE, "scales": scales}
        (fresh / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return Path(folder)


def _ratings(person: int, trial: int, trials: int) -> tuple[float, float]:
    """Ratings of a trial on 1–9, to a tenth: the quadrants in turn, never right on the midpoint.

    An even number of trials lies as often above as below the midpoint, in either label.
    """
    draw = np.random.default_rng((person, 7))
    rounds = [draw.permutation(4) for _ in range(trials // 4 + 1)]
    last = rounds[-1]  # cut short: it begins with a quadrant and the one opposite
    rounds[-1] = np.array([last[0], 3 - last[0], *last[(last != last[0]) & (last != 3 - last[0])]])
    order = np.concatenate(rounds)
    quadrant = int(order[trial])
    distance = draw.uniform(1.2, 3.8, (trials + 4, 2))[trial]
    signs = np.array([1 if quadrant & 1 else -1, 1 if quadrant & 2 else -1])
    arousal, valence = 5 + signs * distance
    return round(float(arousal), 1), round(float(valence), 1)


def _trial(
    folder: Path,
    plan: tuple[int, int, float, float],
    duration_s: float,
    size: int,
    rate_hz: float,
    camera: Camera,
    video: bool,
    scale: tuple[float, float],
    strength: float,
) -> str:
    """Make one trial's files; its manifest row. The body never answers to a rating exactly."""
    import pandas as pd

    seed, k, arousal, valence = plan
    person, one = Person(seed), 100 * seed + k
    draw = np.random.default_rng((one, 8))
    rated = np.array([arousal, valence])
    felt = rated + draw.normal(0, 0.8, 2) + (strength - 1) * (rated - np.mean(RATED))
    body = heart(person, felt[0], felt[1], duration_s, random_state=one)
    name = f"{seed}_{k + 1}"
    contact = waves.bvp(body, rate_hz=_CONTACT_HZ, random_state=one)
    chest = waves.ecg(body, rate_hz=_CONTACT_HZ, random_state=one)
    blood = waves.blood(body, waves.FACE, rate_hz=rate_hz, random_state=one)
    blood = replace(blood, samples=(blood.samples - blood.samples.mean()) / blood.samples.std())
    columns = {"time_s": contact.times_s, "bvp": contact.samples, "ecg": chest.samples}
    pd.DataFrame(columns).round(6).to_csv(folder / f"signals/{name}.csv", index=False)
    seen = {"time_s": blood.times_s, "bvp": blood.samples}
    pd.DataFrame(seen).round(6).to_csv(folder / f"{TRUTH}/{name}_camera.csv", index=False)
    inside = (body.beats_s >= 0) & (body.beats_s < duration_s)
    beats = {"beat_s": body.beats_s[inside]}
    for where, site in (("finger_s", waves.FINGER), ("face_s", waves.FACE)):
        beats[where] = waves.arrivals(body, site, random_state=one)[inside]
    pd.DataFrame(beats).round(6).to_csv(folder / f"{TRUTH}/{name}_beats.csv", index=False)
    file = ""
    if video:
        file = f"videos/{name}.mp4"
        shown = face(person.tone, size=size, random_state=seed)
        frames = film(shown, blood.samples, rate_hz, camera, random_state=one)
        write_video(folder / file, frames, rate_hz, crf=camera.crf)
    written = np.interp(rated, RATED, scale).round(2)
    return f"{seed},1,{k + 1},{file},signals/{name}.csv,{written[0]},{written[1]}"

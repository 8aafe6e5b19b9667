"""Does it tell more that two methods agree? ``python -m benchmarks.agreement DATA``.

Windows of 10 s of waves that two methods read from the same colours. They agree where their rates
are within 3 bpm. AUROC: how well a number tells right windows (within 3 bpm of the mean rate of the
true beats) from wrong ones; that of quality and agreement together is of a logistic regression
fitted to the other people.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.presets_of_clips import PRESETS, write_clip
from benchmarks.reliability import BEFORE_S, LEAST_SEEN, RIGHT_BPM, STEP_S, Wave, cameras
from emotion_rppg import Signal, Video, estimate
from emotion_rppg.metrics import beat_measures
from emotion_rppg.pulse import METHODS
from emotion_rppg.pulse.estimate import read_by_colour
from emotion_rppg.signal_quality import heart_rate, judge
from emotion_rppg.video.face_tracking import skin_mean, track_face

LENGTH_S = 10.0
Pair = tuple[Wave, Signal]  # what is judged, and what another method reads


def real(data: Path) -> Iterator[Pair]:
    """POS and CHROM of the faces of 11 people; `cameras` gives each person's three waves."""
    from benchmarks.beats import CAMERA

    found = list(cameras(data))
    names = [*CAMERA] * (len(found) // len(CAMERA))
    faces = [(n, w) for n, w in zip(names, found, strict=True) if n.endswith("_face")]
    for (_, first), (_, second) in zip(faces[::2], faces[1::2], strict=True):
        yield first._replace(source="camera, 11 people"), second.wave


def drawn(name: str = "moderate") -> Iterator[Pair]:
    preset = PRESETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(preset.clips):
            path = Path(folder) / f"{number}.mp4"
            truth = write_clip(preset, number, path)
            colours = [(look.time_s, skin_mean(look)) for look in track_face(Video(path))]
            pos, chrom = (read_by_colour(colours, METHODS[m]) for m in ("pos", "chrom"))
            yield Wave(f"preset {name}", str(number), chrom, truth.beats), pos
            path.unlink()


def rows(pair: Pair) -> Iterator[tuple[str, float, bool, bool, bool]]:
    """Person, quality, whether the methods agree, whether it is right, whether it is given."""
    (_, person, wave, truth, _), other = pair
    first = max(wave.start_s, truth.span_s[0] - BEFORE_S)
    last = min(wave.end_s, truth.span_s[1] + BEFORE_S)
    for at in np.arange(first, last - LENGTH_S + 0.1, STEP_S):
        true = truth.crop(at, at + LENGTH_S)
        piece, second = (x.crop(at, at + LENGTH_S) for x in (wave, other))
        bpm, rate = beat_measures(true).hr_bpm, heart_rate(piece)
        if true.coverage >= LEAST_SEEN and np.isfinite(bpm):
            said, agree = judge(piece), abs(rate - heart_rate(second)) <= RIGHT_BPM
            right = bool(abs(rate - bpm) <= RIGHT_BPM)
            yield person, said.quality, bool(agree), right, said.hr_bpm is not None


def line(pairs: Sequence[Pair]) -> str:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    found = [row for pair in pairs for row in rows(pair)]
    person, quality, agree, right, given = (np.array(column) for column in zip(*found, strict=True))
    sure = np.clip(quality, 1e-3, 1 - 1e-3)
    told = np.column_stack([np.log(sure / (1 - sure)), agree])
    both = np.zeros(len(found))
    for one in np.unique(person):
        out = person == one
        model = LogisticRegression().fit(told[~out], right[~out])
        both[out] = model.predict_proba(told[out])[:, 1]
    cells = [f"{roc_auc_score(right, x):.2f}" for x in (quality, agree, both)]
    cells += [f"{right[k].mean():.0%} of {k.sum()}" for k in (given, given & agree)]
    cells += [f"{right[k].mean():.0%} of {k.sum()}" if k.any() else "–" for k in (~given & agree,)]
    return f"| {pairs[0][0].source} | {len(found)} | {right.mean():.0%} | {' | '.join(cells)} |"


def without_pulse(data: Path) -> str:
    """How often the methods agree where the codec has left nothing to agree on."""
    paths = sorted((data / "no_pulse").glob("*.avi"))
    waves = [[estimate(path, m, region="full") for m in ("pos", "chrom")] for path in paths]
    pieces = [
        [wave.crop(at, at + LENGTH_S) for wave in pair]
        for pair in waves
        for at in np.arange(pair[0].start_s, pair[0].end_s - LENGTH_S + 0.1, STEP_S)
    ]
    agree = [abs(heart_rate(a) - heart_rate(b)) <= RIGHT_BPM for a, b in pieces]
    given = sum(judge(a).hr_bpm is not None for a, _ in pieces)
    return (
        f"Crops without a pulse: POS and CHROM agree in {sum(agree)} of {len(agree)} windows; "
        f"a rate is given in {given}."
    )


def main(data: Path) -> None:
    head = "quality | agreement | both | right where given | … and they agree | not given, agree"
    print(f"| waves | windows | right | {head} |\n|---|---|---|---|---|---|---|---|---|")
    print(line(list(real(data))))
    print(line(list(drawn())))
    print(f"\n{without_pulse(data)}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # NeuroKit2's
    main(Path(sys.argv[1]))

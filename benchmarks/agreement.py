"""Test whether the agreement of two methods predicts right rates better than quality alone.

``python -m benchmarks.agreement DATA``: windows of 10 s of waves that two methods estimate from the
same colours. They agree if their rates are within 3 bpm. AUROC: how well a number separates right
windows (within 3 bpm of the mean rate of the true beats) from wrong ones; for quality and agreement
together, from a logistic regression fitted to the other people.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.presets_of_clips import PRESETS, write_clip
from benchmarks.reliability import BEFORE_S, LEAST_COVERAGE, RIGHT_BPM, STEP_S, Wave, cameras
from emotion_rppg import Signal, Video, estimate
from emotion_rppg.metrics import beat_measures
from emotion_rppg.pulse import METHODS
from emotion_rppg.pulse.estimate import read_by_colour
from emotion_rppg.signal_quality import heart_rate, judge
from emotion_rppg.video.face_tracking import skin_mean, track_face

LENGTH_S = 10.0
Pair = tuple[Wave, Signal]  # the wave to judge, and that of another method


def real(data: Path) -> Iterator[Pair]:
    """Yield POS and CHROM waves of the faces of 11 people; `cameras` has three waves of each."""
    from benchmarks.beats import CAMERA

    waves = list(cameras(data))
    names = [*CAMERA] * (len(waves) // len(CAMERA))
    faces = [(n, w) for n, w in zip(names, waves, strict=True) if n.endswith("_face")]
    for (_, first), (_, second) in zip(faces[::2], faces[1::2], strict=True):
        yield first._replace(source="camera, 11 people"), second.wave


def synthetic(name: str = "moderate") -> Iterator[Pair]:
    """Yield CHROM and POS waves of the clips of a preset."""
    preset = PRESETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(preset.clips):
            path = Path(folder) / f"{number}.mp4"
            truth = write_clip(preset, number, path)
            colours = [(face.time_s, skin_mean(face)) for face in track_face(Video(path))]
            pos, chrom = (read_by_colour(colours, METHODS[m]) for m in ("pos", "chrom"))
            yield Wave(f"preset {name}", str(number), chrom, truth.beats), pos
            path.unlink()


def rows(pair: Pair) -> Iterator[tuple[str, float, bool, bool, bool]]:
    """Yield person, quality, agreement, whether the rate is right, whether it is reported."""
    (_, person, wave, truth, _), other = pair
    first = max(wave.start_s, truth.span_s[0] - BEFORE_S)
    last = min(wave.end_s, truth.span_s[1] + BEFORE_S)
    for at in np.arange(first, last - LENGTH_S + 0.1, STEP_S):
        true = truth.crop(at, at + LENGTH_S)
        piece, second = (x.crop(at, at + LENGTH_S) for x in (wave, other))
        bpm, rate = beat_measures(true).hr_bpm, heart_rate(piece)
        if true.coverage >= LEAST_COVERAGE and np.isfinite(bpm):
            judged, agree = judge(piece), abs(rate - heart_rate(second)) <= RIGHT_BPM
            right = bool(abs(rate - bpm) <= RIGHT_BPM)
            yield person, judged.quality, bool(agree), right, judged.hr_bpm is not None


def line(pairs: Sequence[Pair]) -> str:
    """Format the row of a group of waves."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    windows = [row for pair in pairs for row in rows(pair)]
    person, quality, agree, right, given = (np.array(x) for x in zip(*windows, strict=True))
    clipped = np.clip(quality, 1e-3, 1 - 1e-3)
    inputs = np.column_stack([np.log(clipped / (1 - clipped)), agree])
    both = np.zeros(len(windows))
    for one in np.unique(person):
        test = person == one
        model = LogisticRegression().fit(inputs[~test], right[~test])
        both[test] = model.predict_proba(inputs[test])[:, 1]
    cells = [f"{roc_auc_score(right, x):.2f}" for x in (quality, agree, both)]
    cells += [f"{right[k].mean():.0%} of {k.sum()}" for k in (given, given & agree)]
    cells += [f"{right[k].mean():.0%} of {k.sum()}" if k.any() else "–" for k in (~given & agree,)]
    return f"| {pairs[0][0].source} | {len(windows)} | {right.mean():.0%} | {' | '.join(cells)} |"


def without_pulse(data: Path) -> str:
    """Count how often the methods agree in videos whose codec removed the pulse."""
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
        f"In crops without a pulse, POS and CHROM agree in {sum(agree)} of {len(agree)} windows; "
        f"a rate is reported in {given}."
    )


def main(data: Path) -> None:
    head = "quality | agreement | both | right where given | … and they agree | not given, agree"
    print(f"| waves | windows | right | {head} |\n|---|---|---|---|---|---|---|---|---|")
    print(line(list(real(data))))
    print(line(list(synthetic())))
    print(f"\n{without_pulse(data)}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # NeuroKit2's
    main(Path(sys.argv[1]))

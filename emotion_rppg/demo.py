"""Run all stages on synthetic people: the verb `demo`.

The files are read back through the same readers as any study. This is a functional check: the
heart rates follow the ratings by construction.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.recordings import Recording
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.report.plots import signals
from emotion_rppg.runtime.atomic_files import atomic_folder
from emotion_rppg.runtime.parallel import map_in_order
from emotion_rppg.runtime.provenance import write_run
from emotion_rppg.runtime.threads import threads_for, usable_cores
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation import Evaluation

PEOPLE, TRIALS, SECONDS, SIZE = 8, 4, 60.0, 96
TARGETS = ("arousal", "valence")
HEADS = ("logistic", "svm", "forest", "lstm")
Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
_WINDOW_S, _STEP_S = 30.0, 15.0
_ENCODER_SEED = 900_000  # first seed of the encoder's training people, none of them in the study


def run_demo(
    out: str | Path,
    *,
    seed: int = 0,
    workers: int | None = None,
    device: str = "auto",
    progress: Progress,
) -> dict[str, Any]:
    """Write a study, extract, evaluate, fit and report; return ``{"text": …, "json": …}``.

    The folder has ``study/`` (videos, signals, truth), ``physnet/``, ``encoder/``, ``model/``,
    ``table.csv``, ``results.csv``, ``summary.csv`` and ``report.html``. It appears complete or not
    at all.
    """
    from emotion_rppg.datasets.folder import Folder
    from emotion_rppg.datasets.synthetic import write_study
    from emotion_rppg.evaluation import evaluate
    from emotion_rppg.extraction import extraction_of, with_extraction
    from emotion_rppg.runtime.tables import write_table
    from emotion_rppg.study import extract, fit

    workers = workers or threads_for(usable_cores())
    started_s = time.monotonic()
    with atomic_folder(out) as fresh:
        with progress("1/6 synthetic people and their videos") as bar:
            write_study(
                fresh / "study",
                people=PEOPLE,
                trials=TRIALS,
                duration_s=SECONDS,
                size=SIZE,
                seed=seed,
                workers=workers,
                progress=bar,
            )
        study = list(Folder(fresh / "study"))
        with progress("2/6 a small PhysNet") as bar:
            network = train_small_physnet(fresh / "physnet", seed=seed, device=device, bar=bar)
        with progress("3/6 a beat encoder") as bar:
            encoder = train_small_encoder(fresh / "encoder", seed=seed, bar=bar)
        with progress("4/6 pulse and features") as bar:
            table = extract(
                study,
                length_s=_WINDOW_S,
                step_s=_STEP_S,
                encoder=encoder,
                workers=workers,
                device=device,
                progress=bar,
            )
        extraction = extraction_of(table)
        if extraction is not None:  # the encoder folder lies beside the table
            table = with_extraction(table, replace(extraction, encoder="encoder"))
        write_table(table, fresh / "table.csv")
        with progress("5/6 leave one person out") as bar:
            results = evaluate(
                table,
                target=TARGETS,
                heads=HEADS,
                permutations=0,  # no p values: they take minutes
                workers=workers,
                seed=seed,
                progress=bar,
            )
        means = results.summary()
        write_table(results.scores, fresh / "results.csv")
        write_table(means, fresh / "summary.csv")
        model = fit(table, target=TARGETS, head="logistic", encoder=encoder, seed=seed)
        model.save(fresh / "model")
        with progress("6/6 the report") as bar:
            selected = study[:: TRIALS * 4]  # two people, one trial each
            pulse_scores = compare_methods(
                selected, fresh / "study", network, workers=workers, progress=bar
            )
            write_table(pulse_scores, fresh / "stage_one.csv")
            page = _page(study[0], fresh / "study", network, table, means, pulse_scores, results)
            write_page(page, fresh / "report.html")
        write_run(fresh, "demo", {"seed": seed}, name=Path(out).name)
    return _result(Path(out), means, pulse_scores, time.monotonic() - started_s)


def train_small_physnet(folder: Path, *, seed: int, device: str, bar: Any) -> Path:
    """Train PhysNet with the smallest crops on synthetic clips: about a minute on two cores."""
    from emotion_rppg.pulse.training.train import TrainingConfig, synthetic_clips, train

    recipe = TrainingConfig(seed=seed)
    clips, seeds = synthetic_clips(recipe)
    return train(clips, folder, recipe=recipe, trained_on=seeds, device=device, progress=bar)


def train_small_encoder(folder: Path, *, seed: int, bar: Any) -> Path:
    """Train a beat encoder without labels on synthetic people who are not in the study."""
    import numpy as np

    from emotion_rppg.datasets.synthetic import NAME
    from emotion_rppg.emotion.deep.pretraining import pretrain
    from emotion_rppg.features import sequences
    from emotion_rppg.synthesis.people import Person, heart

    draw = np.random.default_rng((seed, 9))
    people = [Person(_ENCODER_SEED + i) for i in range(40)]
    beats = []
    for person in people:
        for _ in range(4):
            arousal, valence = draw.uniform(1, 9, 2)
            lived = heart(person, arousal, valence, 60.0, seed=int(draw.integers(1 << 31)))
            times = lived.beats_s + draw.normal(0, 0.008, len(lived.beats_s))  # a camera's timing
            length = draw.uniform(20, 60)
            beats.append(Beats(np.sort(times), np.ones(len(times))).crop(0.0, length))
    trained = pretrain(
        sequences.tokens(sequences.table(beats)),
        seed=seed,
        progress=bar,
        trained_on={NAME: [str(person.seed) for person in people]},
    )
    return trained.save(folder)


def truth_of(name: str, study: Path) -> Signal:
    """Read the blood volume wave that a synthetic video was rendered from."""
    from emotion_rppg.datasets.folder import read_signal
    from emotion_rppg.datasets.synthetic import TRUTH

    return read_signal(study / TRUTH / f"{name}_camera.csv")


def compare_methods(
    study: list[Recording], root: Path, network: Path, *, workers: int, progress: Any
) -> pd.DataFrame:
    """Compare each method's wave with the rendered blood volume wave; means over recordings."""
    import pandas as pd

    jobs = [
        (recording, truth_of(f"{recording.subject}_{recording.trial}", root), method)
        for recording in study
        for method in ("green", "pos", network)
    ]
    rows = []
    for row in map_in_order(_compared, jobs, workers=workers):
        rows.append(row)
        progress(len(rows), len(jobs))
    table = pd.DataFrame(rows)
    return table.groupby("method", sort=False).mean(numeric_only=True).reset_index()


def _compared(recording: Recording, truth: Signal, method: str | Path) -> dict[str, Any]:
    """Compute the errors of one method on one recording."""
    from emotion_rppg.features.beats import find_beats
    from emotion_rppg.metrics import beat_errors, wave_correlation
    from emotion_rppg.pulse.estimate import estimate
    from emotion_rppg.signal_quality import heart_rate

    assert recording.video is not None
    wave = estimate(recording.video, method)
    filtered = wave.bandpass(0.7, 4.0)
    true = truth.bandpass(0.7, 4.0).resample(filtered.rate_hz)
    n = min(len(filtered), len(true))
    r, _ = wave_correlation(filtered.samples[:n], true.samples[:n], filtered.rate_hz)
    beats = beat_errors(find_beats(wave), find_beats(truth))
    return {
        "method": method if isinstance(method, str) else f"PhysNet ({method.name}/)",
        "heart rate error (bpm)": abs(heart_rate(wave) - heart_rate(truth)),
        "wave correlation": r,
        "beats found (F1)": beats.f1,
        "beat jitter (ms)": beats.jitter_ms,
    }


def _page(
    first: Recording,
    root: Path,
    network: Path,
    table: pd.DataFrame,
    means: pd.DataFrame,
    pulse_scores: pd.DataFrame,
    results: Evaluation,
) -> Page:
    from emotion_rppg.features.beats import find_beats
    from emotion_rppg.pulse.estimate import estimate
    from emotion_rppg.report.evaluation import protocol
    from emotion_rppg.report.sections.findings import names_of_classes, scores
    from emotion_rppg.report.sections.withheld import closing

    assert first.video is not None
    pos = estimate(first.video, "pos")
    waves = {
        "truth": truth_of(f"{first.subject}_{first.trial}", root),
        "POS": pos.bandpass(0.7, 3.0),
        "PhysNet": estimate(first.video, network),
    }
    beats = {
        "ECG": find_beats(first.read("ecg")),
        "contact PPG": find_beats(first.read("bvp")),
        "camera": find_beats(pos),
    }
    beats_of_waves = {name: find_beats(waves[name]) for name in ("truth", "PhysNet")}
    beats_of_waves["POS"] = beats["camera"]
    features = [name for name in ("hr_bpm", "rmssd_ms", "hf_ms2") if table[name].notna().any()]
    return Page(
        "emotion_rppg: all stages on synthetic people",
        f"{PEOPLE} synthetic people × {TRIALS} trials × {SECONDS:g} s of video, read like any "
        "other study.",
        [
            Section(
                "What this is",
                [
                    "Each trial is a video file of a photographed face, recoloured to a skin tone, "
                    "whose colour changes with every beat of a simulated heart. Heart rate and its "
                    "variability follow the trial's ratings of arousal and valence, with noise. "
                    "Everything below was read back from those files.",
                ],
                warning="A functional check. The heart rates follow the ratings by construction: "
                "the scores show that the stages work and say nothing about real people.",
            ),
            Section(
                "From video to pulse",
                figures=[
                    (
                        signals.plot_waves(waves, beats=beats_of_waves, start_s=10.0),
                        "The blood volume wave rendered into the face, and the waves that two "
                        "methods estimated from the video; dots are beats. This PhysNet is small "
                        "and was trained for about a minute on synthetic clips.",
                    )
                ],
                table=pulse_scores,
                table_caption="Means over two videos of two people, against the rendered wave.",
            ),
            Section(
                "From pulse to beats",
                [
                    "One heart, three signals. The pulse arrives after the R peak by a transit "
                    "time that varies from beat to beat, so the intervals agree closely, not "
                    "exactly."
                ],
                [(signals.plot_tachogram(beats), "Inter-beat intervals of the first trial.")],
            ),
            Section(
                "From beats to features",
                figures=[
                    (
                        signals.feature_by_label(table, target, features),
                        f"Features of all windows against rated {target}, each as the difference "
                        "from the person's own mean.",
                    )
                    for target in TARGETS
                ],
            ),
            protocol(results, table),
            scores(results, means, names_of_classes(results, table)),
        ],
        closing(table),
    )


def _result(
    out: Path, means: pd.DataFrame, pulse_scores: pd.DataFrame, seconds: float
) -> dict[str, Any]:
    """Format the result of the demo as text and as JSON."""
    import json

    table = means[["target", "head", "mean", "ci_low", "ci_high", "people"]].round(3)
    names = ("report.html", "table.csv", "results.csv", "summary.csv", "model", "study")
    lines = [
        "Pulse waves against the rendered wave (means over two videos):",
        pulse_scores.round(3).to_string(index=False),
        "",
        "Balanced accuracy on people outside the training data (mean over people, 95 % CI):",
        table.to_string(index=False),
        "",
        "Synthetic people: this shows that the stages work, and nothing about real people.",
        f"Took {seconds:.0f} s. Written:",
        *[f"  {out / name}" for name in names],
    ]
    content = {
        "out": str(out),
        "seconds": round(seconds, 1),
        "stage_one": json.loads(pulse_scores.to_json(orient="records")),
        "summary": json.loads(means.to_json(orient="records")),
    }
    return {"text": "\n".join(lines), "json": content}

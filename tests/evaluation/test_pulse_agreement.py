"""Stage one: errors show in their columns, networks meet no known people, stopped runs go on."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.datasets import DATASETS
from emotion_rppg.datasets.synthetic import write_study
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.leakage import Leak
from emotion_rppg.evaluation.pulse_agreement import compare_recording, compare_waves, evaluate_pulse
from emotion_rppg.evaluation.pulse_statistics import SCORES, pulse_summary
from emotion_rppg.evaluation.result import FAILURES, ORIGINS, PulseEvaluation, table_of
from emotion_rppg.evaluation.statistics import clustered_ci
from emotion_rppg.features.beats import find_beats
from emotion_rppg.metrics import macc, macc_chance
from emotion_rppg.pulse import estimate
from emotion_rppg.pulse.inference import trained_network
from emotion_rppg.pulse.networks import save_network
from emotion_rppg.pulse.networks.physnet import PhysNet
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.report.pulse import ranking_text, wide, write_pulse_evaluation
from emotion_rppg.signals import Signal
from emotion_rppg.study import Reading

BPM = 72.0


def pulse(seconds: float = 60, *, bpm: float = BPM, late_s: float = 0.0, seed: int = 0) -> Signal:
    """A camera's wave of a heart whose beats wander, so many seconds late."""
    draw = np.random.default_rng(seed)
    beats = np.cumsum(60 / bpm + draw.normal(0, 0.03, int(seconds * bpm / 60) + 4)) - 0.8
    times = np.arange(int(seconds * 30)) / 30
    shape = np.exp(-50 * (times[:, None] - late_s - beats) ** 2).sum(axis=1)
    noise = np.random.default_rng(seed + 1).normal(0, 0.05, len(times))
    return Signal(shape + noise, 30.0, kind="rppg")


def of(wave: Signal, truth: Signal | None = None) -> dict:
    contact = pulse() if truth is None else truth
    return compare_waves(wave, find_beats(wave), contact, find_beats(contact))


# ---- what was planted is seen in its column ----------------------------------------------------


def test_the_same_heart_has_no_error() -> None:
    found = of(pulse())
    assert found["r"] > 0.99
    assert found["macc"] > 0.99
    assert found["beat_f1"] > 0.99
    assert found["lag_ms"] == 0.0
    assert found["withheld"] == 0.0
    assert abs(found["hr_bpm"] - found["hr_true_bpm"]) < 0.5
    assert found["beat_hr_bpm"] == pytest.approx(found["hr_true_bpm"], abs=0.2)
    assert found["rmssd_ms"] == pytest.approx(found["rmssd_true_ms"], abs=1)


def test_a_delayed_wave_changes_its_lag_only() -> None:
    found, plain = of(pulse(late_s=0.2)), of(pulse())
    assert found["lag_ms"] == pytest.approx(200, abs=1)
    assert found["beat_delay_ms"] - plain["beat_delay_ms"] == pytest.approx(200, abs=5)
    for name in ("r", "macc", "beat_f1", "hr_bpm"):
        assert found[name] == pytest.approx(plain[name], rel=0.03), name
    assert found["rmssd_ms"] == pytest.approx(
        plain["rmssd_ms"], rel=0.15
    )  # other beats at the ends


def test_an_inverted_wave_has_a_negative_correlation() -> None:
    wave = pulse()
    found = of(Signal(-wave.samples, 30.0, kind="rppg"))
    assert found["r"] < -0.99
    assert found["lag_ms"] == 0.0
    assert found["macc"] > 0.99  # which is blind to it


def test_another_heart_rate_changes_rate_snr_and_beats() -> None:
    found, plain = of(pulse(bpm=96, seed=5)), of(pulse())
    assert found["hr_bpm"] - found["hr_true_bpm"] == pytest.approx(24, abs=2)
    assert found["snr_db"] < plain["snr_db"] - 10
    assert found["beat_f1"] < 0.8
    assert found["macc"] < 0.6


def test_noise_of_beat_times_changes_jitter_and_rmssd_but_not_the_rate() -> None:
    truth = pulse()
    draw = np.random.default_rng(3)
    wave = Signal(truth.samples, 30.0, kind="rppg")
    beats = find_beats(wave)
    moved = type(beats)(beats.times_s + draw.normal(0, 0.03, len(beats)), kind="rppg")
    found = compare_waves(wave, moved, truth, find_beats(truth))
    assert found["beat_jitter_ms"] == pytest.approx(30, abs=8)
    assert found["rmssd_ms"] - found["rmssd_true_ms"] > 20
    assert abs(found["hr_bpm"] - found["hr_true_bpm"]) < 0.5


def test_an_invisible_face_lowers_the_coverage() -> None:
    wave = pulse()
    samples = np.where(wave.times_s < 15, np.nan, wave.samples)
    found = of(Signal(samples, 30.0, kind="rppg"))
    assert found["coverage"] == pytest.approx(0.75)
    assert found["r"] > 0.99  # of what was seen
    assert found["beat_f1"] < 0.9


def test_noise_is_withheld_and_macc_is_no_better_than_chance() -> None:
    noise = Signal(np.random.default_rng(0).normal(size=1800), 30.0, kind="rppg").bandpass(0.7, 4)
    found = of(noise)
    assert found["withheld"] == 1.0
    assert found["reason"]
    assert found["macc"] < found["macc_chance"] + 0.12
    assert of(pulse())["macc"] > of(pulse())["macc_chance"] + 0.2


def test_macc_of_unrelated_waves_is_its_chance() -> None:
    draw = np.random.default_rng(1)
    pairs = [
        (Signal(a, 30).bandpass(0.7, 3).samples, Signal(b, 30).bandpass(0.7, 3).samples)
        for a, b in draw.normal(size=(30, 2, 600))
    ]
    found = np.mean([macc(a, b) for a, b in pairs])
    assert found == pytest.approx(np.mean([macc_chance(a, b) for a, b in pairs]), abs=0.02)
    assert macc(pairs[0][0], np.roll(pairs[0][0], 77)) == pytest.approx(1)
    assert np.isnan(macc(np.ones(50), pairs[0][0][:50]))


def test_without_a_contact_wave_its_columns_are_empty() -> None:
    wave = pulse()
    found = compare_waves(wave, find_beats(wave), None, find_beats(wave))
    assert all(np.isnan(found[name]) for name in ("r", "lag_ms", "macc", "macc_chance"))
    assert found["beat_f1"] == 1.0


# ---- recordings --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    root = write_study(
        tmp_path_factory.mktemp("study") / "s", people=2, trials=1, duration_s=7, size=64
    )
    return list(DATASETS["synthetic"](root))


@pytest.fixture(scope="module")
def results(study: list[Recording]) -> PulseEvaluation:
    return evaluate_pulse(study, methods=["pos", "green"])


def test_every_recording_has_a_row_a_method(
    results: PulseEvaluation, study: list[Recording]
) -> None:
    scores = results.scores
    assert list(scores["method"]) == ["pos", "green"] * 2
    assert list(scores["subject"]) == [r.subject for r in study for _ in range(2)]
    assert (scores["hr_bpm"] - scores["hr_true_bpm"]).abs().max() < 5
    assert set(scores["reference"]) == {"bvp"}
    assert scores["window_mae_bpm"].isna().all()  # shorter than a window
    assert len(results.windows) == len(results.failures) == 0
    assert list(results.failures) == ["recording", "method", "reason"]
    assert repr(results).startswith("PulseEvaluation(2 recordings; ")
    assert "\n" not in repr(results)


def read_as(monkeypatch: pytest.MonkeyPatch, wave: Callable[[Video], Signal]) -> None:
    """Every method reads that wave."""

    def each(video: Video, methods: list, *, device: str) -> list:
        return [partial(wave, video) for _ in methods]

    monkeypatch.setattr(estimate, "estimate_each", each)


def test_windows_are_judged_each_for_itself(monkeypatch) -> None:
    wave = pulse()
    wrong = np.where(wave.times_s < 30, wave.samples, pulse(bpm=96, seed=5).samples)
    read_as(monkeypatch, lambda video: Signal(wrong, 30.0, kind="rppg"))
    contact = Signal(wave.samples, 30.0, kind="bvp")
    one = Recording("d", "1", video=Video(Path("none.mp4")), signals={"bvp": contact})
    table = compare_recording(one, Reading("pos", "rppg"), Signal(wrong, 30.0, kind="rppg"))
    assert list(table["span"]) == ["recording", "window", "window"]
    error = (table["hr_bpm"] - table["hr_true_bpm"]).to_numpy()
    assert abs(error[1]) < 1
    assert error[2] == pytest.approx(24, abs=2)
    results = evaluate_pulse([one], methods=["pos"])
    assert len(results.windows) == 2
    assert results.scores["window_mae_bpm"][0] == pytest.approx(np.abs(error[1:]).mean())


def test_one_bad_recording_is_told_and_does_not_stop_the_rest(study, tmp_path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    broken = Recording("synthetic", "77", video=Video(bad), signals=study[0].signals)
    dumb = Recording("synthetic", "78", video=study[0].video)
    results = evaluate_pulse([broken, study[0], dumb], methods=["pos"])
    assert list(results.scores["subject"]) == [study[0].subject]
    first, second = results.failures.to_dict("records")
    assert "77" in first["recording"]
    assert "bad.mp4" in first["reason"]
    assert "no contact pulse" in second["reason"]
    with pytest.raises(InputError, match="no contact pulse"):
        evaluate_pulse([dumb], methods=["pos"])
    with pytest.raises(InputError, match="unknown rPPG method 'poz'"):
        evaluate_pulse(study, methods=["pos", "poz"])
    with pytest.raises(InputError, match="'pos' twice"):
        evaluate_pulse(study, methods=["pos", "pos"])
    with pytest.raises(InputError, match="no method"):
        evaluate_pulse(study, methods=[])


def network(folder: Path, trained_on: dict | str) -> Path:
    folder.mkdir()
    facts = {"rate_hz": 30.0, "size": 16, "normalisation": "raw", "training": {}}
    save_network(
        folder, PhysNet().eval(), network="physnet", options={}, trained_on=trained_on, **facts
    )
    return folder


def test_a_network_that_saw_a_person_of_the_set_is_refused(study, tmp_path, monkeypatch) -> None:
    read_as(monkeypatch, lambda video: pytest.fail("a video was read"))
    trained_on_study = network(tmp_path / "seen", {"synthetic": [study[1].subject]})
    with pytest.raises(Leak, match=f"trained on synthetic/{study[1].subject}"):
        evaluate_pulse(study, methods=["pos", trained_on_study])
    hidden = network(tmp_path / "hidden", "unknown")
    with pytest.raises(Leak, match="does not say whom"):
        evaluate_pulse(study, methods=[hidden])
    read_as(monkeypatch, lambda video: study[0].read("bvp"))
    allowed = evaluate_pulse(study, methods=[hidden], allow_unknown_training=True)
    assert allowed.scores["unknown_training"].all()
    both = evaluate_pulse(study, methods=[hidden, "pos"], allow_unknown_training=True)
    marked = both.scores.groupby("method")["unknown_training"].all()
    assert marked.to_dict() == {"hidden": True, "pos": False}
    assert both.origins.to_dict("records") == [
        {"method": "hidden", "checkpoint": "hidden", "trained_on": "unknown", "licence": ""},
        {"method": "pos", "checkpoint": "", "trained_on": "no training", "licence": ""},
    ]


def test_the_training_people_of_the_bundled_network_are_refused_too(
    study, tmp_path, monkeypatch
) -> None:
    read_as(monkeypatch, lambda video: pytest.fail("a video was read"))
    folder = network(tmp_path / "physnet", {"synthetic": [study[0].subject]})
    monkeypatch.setitem(trained_network.BUNDLED, "physnet", folder)
    with pytest.raises(Leak, match=f"trained on synthetic/{study[0].subject}"):
        evaluate_pulse(study, methods=["PhysNet"])


def test_a_network_is_not_tested_on_its_donor_videos(study, tmp_path, monkeypatch) -> None:
    read_as(monkeypatch, lambda video: pytest.fail("a video was read"))
    name = study[0].video.path.name
    folder = network(tmp_path / "donors", {"donor-videos": [name, "another.mp4"]})
    with pytest.raises(Leak, match=f"trained on {name} as donor"):
        evaluate_pulse(study, methods=["pos", folder])


@pytest.mark.slow
def test_a_video_is_decoded_once_for_all_methods_and_cached_results_are_reused(
    study, results, tmp_path, monkeypatch
) -> None:
    cached, read, real = tmp_path / "kept", [], estimate.track_face
    evaluate_pulse(study[:1], methods=["green"], cache=cached)
    track_face = lambda video, **how: read.append(video.path) or real(video, **how)  # noqa: E731
    monkeypatch.setattr(estimate, "track_face", track_face)
    again = evaluate_pulse(study, methods=["pos", "green"], cache=cached)
    assert read == [recording.video.path for recording in study]
    pd.testing.assert_frame_equal(again.scores, results.scores)
    evaluate_pulse(study, methods=["green", "pos"], cache=cached)
    assert len(read) == len(study)


def test_a_method_that_fails_leaves_the_others(study) -> None:
    found = evaluate_pulse(study[:1], methods=["pos", short])
    assert list(found.scores["method"]) == ["pos"]
    assert "returned shape" in found.failures["reason"][0]


def short(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    return rgb[1:, 1]


@pytest.mark.slow
def test_the_command_evaluates_the_requested_methods_and_names_errors(
    study, tmp_path, monkeypatch
) -> None:
    read_as(monkeypatch, lambda video: study[0].read("bvp"))
    root = study[0].video.path.parents[1]
    words = ["evaluate", "--stage", "pulse", "--out", str(tmp_path / "out"), "--json"]
    bad = CliRunner().invoke(app, words)
    assert bad.exit_code == 2
    assert "--dataset NAME" in bad.stderr
    assert CliRunner().invoke(app, [*words[:2], "heart"]).exit_code == 2
    where = ["--dataset", "synthetic", "--root", str(root), "--methods", "pos, green"]
    output = json.loads(CliRunner().invoke(app, [*words, *where]).stdout.splitlines()[-1])
    assert {row["method"] for row in output["summary"]} == {"pos", "green"}
    assert output["failures"] == []
    assert [row["rank"] for row in output["ranking"]] == [1, 2]
    assert (tmp_path / "out" / "report.html").is_file()


# ---- over people -------------------------------------------------------------------------------


def table(people: int = 6) -> pd.DataFrame:
    """Two recordings a person; dark skin errs by 5 bpm, light skin by 1; one rate is withheld."""
    rows = [
        {
            **dict.fromkeys({c for score in SCORES.values() for c in score.columns}, 1.0),
            "dataset": "d",
            "subject": str(person),
            "method": "pos",
            "label_skin_tone": 6.0 if person % 2 else 2.0,
            "hr_true_bpm": 60.0 + person,
            "hr_bpm": 60.0 + person + (5 if person % 2 else 1),
            "withheld": float(person == 1),
        }
        for person in range(people)
        for _ in range(2)
    ]
    return pd.DataFrame(rows)


@pytest.mark.slow
def test_scores_are_grouped_by_labels() -> None:
    found = pulse_summary(table(), windows=table()).set_index(["group", "score"])
    assert found.loc[("all", "hr_mae_bpm"), "value"] == pytest.approx(3)
    assert found.loc[("skin_tone = 6", "hr_mae_bpm"), "value"] == pytest.approx(5)
    assert found.loc[("skin_tone = 2", "window_mae_bpm"), "value"] == pytest.approx(1)
    assert found.loc[("all", "hr_mae_bpm"), "people"] == 6
    assert found.loc[("all", "hr_mae_given_bpm"), "people"] == 5
    assert found.loc[("all", "withheld"), "value"] == pytest.approx(1 / 6)


@pytest.mark.slow
def test_methods_are_ranked_by_error_with_their_weights() -> None:
    near, far = table(), table()
    far["method"], far["hr_bpm"] = "net", far["hr_true_bpm"] + 9
    scores = pd.concat([far, near])
    failures = table_of([{"recording": "d/9", "method": "pos", "reason": "no face"}], FAILURES)
    origin = {"method": "net", "checkpoint": "PURE.pth", "trained_on": "pure (10 people)"}
    pos = {"method": "pos", "checkpoint": "", "trained_on": "no training", "licence": ""}
    origins = table_of([{**origin, "licence": "MIT"}, pos], ORIGINS)
    results = PulseEvaluation(scores, scores, failures, origins)
    ranked = results.ranking()
    assert list(ranked["method"]) == ["pos", "net"]
    assert list(ranked["rank"]) == [1, 2]
    assert list(ranked["window_mae_bpm"]) == pytest.approx([3, 9])
    assert list(ranked["recordings"]) == [12, 12]
    assert list(ranked["failed"]) == [1, 0]
    assert list(ranked["checkpoint"]) == ["", "PURE.pth"]
    assert list(ranked["trained_on"]) == ["no training", "pure (10 people)"]
    lines = ranking_text(ranked).to_string(index=False).splitlines()
    assert "PURE.pth" in lines[2]
    # without windows in every method, the error of complete recordings is compared
    windows = near.assign(hr_bpm=near["hr_true_bpm"] + 50)
    assert list(PulseEvaluation(scores, windows, failures, origins).ranking()["method"]) == [
        "pos",
        "net",
    ]


def test_intervals_are_over_people_not_over_their_rows() -> None:
    draw = np.random.default_rng(0)
    own = draw.normal(0, 1, 12)
    few = clustered_ci(own[:, None], np.arange(12), np.mean)
    many = clustered_ci(np.repeat(own, 20)[:, None], np.repeat(np.arange(12), 20), np.mean)
    assert many == pytest.approx(few)
    assert np.isnan(clustered_ci(own[:, None], np.zeros(12), np.mean)).all()


@pytest.mark.slow
def test_the_report_is_self_contained_and_tables_are_complete(results, tmp_path) -> None:
    arguments = {"stage": "pulse", "dataset": "synthetic", "methods": ["pos", "green"]}
    scores = write_pulse_evaluation(results, tmp_path / "out", arguments=arguments)
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "evaluate --stage pulse --dataset synthetic --methods pos,green" in html
    assert "These people are synthetic" in html
    assert html.count("data:image/svg+xml") >= 2
    assert "Withheld heart rates of recordings: pos: " in html
    assert "Versions: python" in html
    assert list(wide(scores)) == ["score", "pos", "green"]
    assert len(pd.read_csv(tmp_path / "out" / "results.csv")) == len(results.scores)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["verb"] == "evaluate"

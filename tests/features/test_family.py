"""A family or signal kind is one record; everything derived from it works for a custom one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from emotion_rppg import evaluate, extract, find_beats, fit, predict
from emotion_rppg.cli.checks import run_checks, window_checks
from emotion_rppg.emotion.design_matrix import feature_names, matrix, of_families
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.importance import groups_of
from emotion_rppg.features import FAMILIES, columns, describes_recording
from emotion_rppg.features.baseline_columns import VS_BASELINE
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.beats.signal_kind import Detected, SignalKind
from emotion_rppg.features.family import Column, Family, StandardError
from emotion_rppg.features.trust import summary_of_withheld, withhold
from emotion_rppg.recordings import Recording
from emotion_rppg.report.data_dictionary import write_dictionary
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.windows import OK

RATE_HZ = 64.0
LATE_S = 0.1  # larger than the error of any detector of the package
NEAR = {"near": KNeighborsClassifier(3)}


def knocks(times: np.ndarray, width_s: float = 0.03) -> np.ndarray:
    """One narrow bump a beat, at `RATE_HZ`, up to half a second after the last one."""
    at = np.arange(0, times[-1] + 0.5, 1 / RATE_HZ)
    return np.exp(-0.5 * ((at[:, None] - times) / width_s) ** 2).sum(axis=1)


def heart(interval_s: float, seed: int = 0) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(interval_s, 0.03, int(70 / interval_s))
    return 0.6 + np.cumsum(steps)


# ---- a family ----------------------------------------------------------------------------------


def pace(list_of_beats: list[Beats], signals: list[Signal | None]) -> pd.DataFrame:
    rows = [
        {
            "pace_hz": 1e3 / beats.intervals_ms.mean() if len(beats) > 1 else np.nan,
            "pace_se_hz": 0.01,
            "pace_steps": float(len(beats)),
            "pace_lag": 1.0,
            "pace_height": 2.0,
            "pace_beats_used": float(len(beats)),
        }
        for beats in list_of_beats
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=float)


COLUMNS = {
    "pace_hz": Column("Hz", "beats a second", "Anon 1900", 10, "pace_se_hz", group="pace itself"),
    "pace_se_hz": Column(
        "1",
        "standard error of pace_hz",
        role="recording",
        withholds=StandardError("pace_hz", "pace", 0.5),
    ),
    "pace_steps": Column("1", "beats", step=10.0),
    "pace_lag": Column("1", "reveals the length", reveals_length=True),
    "pace_height": Column("1", "needs the pulse's shape", minimum_s=900, needs_shape=True),
    "pace_beats_used": Column("1", "number of beats used", role="recording", always=True),
}
PACE = Family("pace", pace, COLUMNS)
OWN = ("pace_hz", "pace_steps", "pace_height")


@pytest.fixture
def family(monkeypatch) -> Family:
    monkeypatch.setitem(FAMILIES, "pace", PACE)
    return PACE


def study(kind: str = "bvp", width_s: float = 0.09) -> list[Recording]:
    """Four people whose heart is faster in the trial ``task`` than in ``rest``."""
    return [
        Recording(
            "d",
            str(k),
            trial=trial,
            signals={kind: Signal(knocks(heart(interval, k), width_s), RATE_HZ, kind=kind)},
            labels={"arousal": rating},
            scales={"arousal": (1, 9)},
        )
        for k in range(4)
        for trial, interval, rating in (("rest", 1.0, 2.0), ("task", 0.7, 8.0))
    ]


def test_a_custom_family_works_from_recording_to_prediction(family, tmp_path) -> None:
    table = extract(study(), families=["pace"], length_s=20, step_s=20)
    assert [name for name in table if name.startswith("pace")] == list(COLUMNS)
    assert set(table["reason"]) == {OK}
    assert feature_names(table) == OWN
    found = evaluate(table, target="arousal", heads=NEAR, permutations=0, probabilities="own")
    own = found.scores[found.scores["head"] == "near"]
    assert own["balanced_accuracy"].mean() == 1.0
    model = fit(table, target="arousal", head=NEAR["near"], probabilities="own")
    assert model.names == OWN
    assert model.extraction.families == ("pace",)
    wave = study()[1].signals["bvp"]
    file = tmp_path / "task.csv"
    pd.DataFrame({"time_s": wave.times_s, "bvp": wave.samples}).to_csv(file, index=False)
    assert set(predict(file, model)["arousal"]) == {"high"}


def test_rows_of_a_custom_family_are_not_cached(family, monkeypatch, tmp_path):
    first = extract(study()[:1], families=["pace"], cache=tmp_path)
    other = replace(PACE, compute=lambda beats, waves: pace(beats, waves).assign(pace_lag=5.0))
    monkeypatch.setitem(FAMILIES, "pace", other)
    second = extract(study()[:1], families=["pace"], cache=tmp_path)
    assert (set(first["pace_lag"]), set(second["pace_lag"])) == ({1.0}, {5.0})


def test_the_dictionary_explains_its_columns(family, tmp_path) -> None:
    table = pd.DataFrame({f"pace_hz{VS_BASELINE}": [0.1], "pace_hz": [1.0]})
    text = write_dictionary(table, tmp_path / "t.columns.md").read_text(encoding="utf-8")
    assert "| pace_hz | Hz | beats a second | Anon 1900 | 10 |" in text
    assert f"| pace_hz{VS_BASELINE} | Hz | pace_hz minus its mean over the baseline" in text


def test_only_its_columns_of_the_heart_are_compared_with_a_baseline(family) -> None:
    table = extract(study(), families=["pace"], baseline="rest", length_s=None)
    beside = {name.removesuffix(VS_BASELINE) for name in table if name.endswith(VS_BASELINE)}
    assert beside == {"pace_hz", "pace_steps", "pace_lag", "pace_height"}
    task = table[table["trial"] == "task"]
    np.testing.assert_allclose(task[f"pace_hz{VS_BASELINE}"], 1 / 0.7 - 1, atol=0.05)


def test_its_columns_are_permuted_in_their_groups(family) -> None:
    table = pd.DataFrame({name: [1.0] for name in COLUMNS} | {"hr_bpm": [60.0], "age": [30.0]})
    inputs = matrix(table, extra_features=("pace_beats_used", "age"))
    groups = {
        group: [inputs.names[k] for k in numbers] for group, numbers in groups_of(inputs).items()
    }
    assert groups == {
        "pace itself": ["pace_hz"],
        "pace": ["pace_steps", "pace_height", "pace_beats_used"],
        "heart rate": ["hr_bpm"],
        "other columns": ["age"],
    }


def test_heads_round_it_to_its_steps(family) -> None:
    table = pd.DataFrame({"pace_steps": [64.0, 66.0], "pace_hz": [1.04, 1.06]})
    np.testing.assert_array_equal(matrix(table).X, [[60.0, 1.04], [70.0, 1.06]])


def test_columns_that_describe_the_recording_are_features_only_when_named(family) -> None:
    left = set(COLUMNS) - set(OWN)
    assert {name for name in COLUMNS if describes_recording(name)} == left
    table = pd.DataFrame({name: [1.0] for name in COLUMNS})
    assert set(feature_names(table, extra_features=("pace_lag",))) == {*OWN, "pace_lag"}


def test_its_columns_are_selected_with_the_family(family) -> None:
    table = pd.DataFrame({"pace_hz": [1.0], "hr_bpm": [60.0]})
    assert list(of_families(table, ["hrv"])) == ["hr_bpm"]
    assert list(of_families(table, ["pace"])) == ["pace_hz"]


def test_its_standard_error_withholds_the_columns_that_name_it(family) -> None:
    beats = Beats(heart(0.8), np.ones(87), kind="bvp")
    table = family([beats]).assign(quality=1.0, pace_se_hz=0.6)
    found = withhold(table, [beats], [None]).iloc[0]
    assert found["reason"] == "pace withheld: 1 Hz with a standard error of 1"
    assert np.isnan(found["pace_hz"])
    assert found["pace_steps"] == 87


def test_a_window_without_a_pulse_has_only_the_columns_that_always_have_values(family) -> None:
    noise = Signal(np.random.default_rng(0).normal(size=60 * 64), RATE_HZ, kind="bvp")
    row = extract([Recording("d", "1", signals={"bvp": noise})], families=["pace"]).iloc[0]
    assert row["reason"] != OK
    assert row[list(COLUMNS)].notna().to_dict() == {
        name: name == "pace_beats_used" for name in COLUMNS
    }


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_need_the_pulse_shape_are_withheld_for_other_kinds(family, kind) -> None:
    beats = Beats(heart(0.8), np.ones(87), kind=kind)
    found = withhold(family([beats]).assign(quality=1.0), [beats], [None]).iloc[0]
    assert np.isfinite(found["pace_height"]) == KINDS[kind].shape
    assert np.isfinite(found["pace_hz"])


def test_the_summary_lists_columns_that_need_longer_windows(family) -> None:
    table = extract(study()[:1], families=["pace"])
    assert "empty, need windows of 900 s: pace_height" in summary_of_withheld(table)


def test_a_family_whose_table_differs_from_its_records_is_refused() -> None:
    more = replace(PACE, columns=COLUMNS | {"pace_more": Column("1", "missing")})
    with pytest.raises(InputError, match="make the two the same"):
        more([])
    fewer = replace(PACE, compute=lambda beats, signals: pace([], []))
    with pytest.raises(InputError, match="0 rows for 1 windows"):
        fewer([Beats([0.0, 1.0])])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"seq_pace": Column("1", "a text")}, "the role 'sequence'"),
        ({"pace_text": Column("1", "a text", role="sequence")}, "begins with seq_"),
        ({"pace_b": Column("1", "b", error="pace_hz")}, "names 'pace_hz' as its standard error"),
        (
            {"pace_b_se": Column("1", "b", withholds=StandardError("pace_b", "b", 1.0))},
            "the standard error of 'pace_b'",
        ),
    ],
)
def test_records_that_contradict_each_other_are_refused(column, message) -> None:
    with pytest.raises(InputError, match=message):
        Family("pace", pace, COLUMNS | column)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_column_has_a_definition_a_unit_and_a_group(name) -> None:
    for column in FAMILIES[name].columns.values():
        assert column.definition
        assert column.unit
        assert column.group
    assert set(FAMILIES[name].columns) <= set(columns())


# ---- a signal kind -----------------------------------------------------------------------------


def thumps(block: Signal, fiducial: str) -> Detected:
    """Maxima above half of the highest one, `LATE_S` late, all accepted."""
    from scipy.signal import find_peaks

    at = find_peaks(block.samples, height=block.samples.max() / 2)[0]
    unknown = np.full(len(at), np.nan)
    accepted = np.ones(len(at), dtype=bool)
    return Detected(at / block.rate_hz + LATE_S, accepted.astype(float), unknown, unknown, accepted)


THUMP = SignalKind(detect=thumps, min_quality=0.4, least_confidence=0.5, pulse_wave=False)


@pytest.fixture
def kind(monkeypatch) -> str:
    monkeypatch.setitem(KINDS, "thump", THUMP)
    return "thump"


def test_beats_of_a_custom_kind_are_detected(kind) -> None:
    truth = heart(0.8)
    beats = find_beats(Signal(knocks(truth), RATE_HZ, kind=kind))
    assert beats.kind == kind
    np.testing.assert_allclose(beats.times_s, truth + LATE_S, atol=1 / RATE_HZ)
    assert beats.timing_sd_s is None


def test_an_unknown_kind_is_refused_with_the_known_ones(kind) -> None:
    with pytest.raises(InputError, match="rppg, bvp, ecg, thump; this one is 'eda'"):
        find_beats(Signal(np.zeros(640), RATE_HZ, kind="eda"))


@pytest.mark.parametrize("source", ["auto", "thump"])
def test_it_is_extracted_by_name_or_as_the_only_signal(kind, source) -> None:
    table = extract(study(kind)[:1], source=source, families=["hrv"])
    assert set(table["source"]) == {kind}
    assert set(table["reason"]) == {OK}


def both(kind: str, path: Path) -> Path:
    """A file with a fast heart in the kind's column and a slow one in ``bvp``."""
    fast, slow = knocks(heart(0.7)), knocks(heart(1.0), 0.09)
    n = min(len(fast), len(slow))
    columns = {"time_s": np.arange(n) / RATE_HZ, kind: fast[:n], "bvp": slow[:n]}
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_a_model_of_it_reads_the_column_of_its_name(kind, tmp_path) -> None:
    table = extract(study(kind), source=kind, families=["hrv"], length_s=30, step_s=30)
    model = fit(table, target="arousal", head=NEAR["near"], probabilities="own")
    predicted = predict(both(kind, tmp_path / "both.csv"), model)
    np.testing.assert_allclose(predicted["hr_bpm"], 60 / 0.7, rtol=0.03)
    assert set(predicted["arousal"]) == {"high"}


def test_a_file_without_its_column_is_refused(kind, tmp_path) -> None:
    file = both("bvp2", tmp_path / "other.csv")
    with pytest.raises(InputError, match="no channel 'thump'; it has: bvp2, bvp"):
        extract(file, source=kind)


def test_its_minimum_quality_withholds_it(kind) -> None:
    signal = Signal(knocks(heart(0.8)), RATE_HZ, kind=kind)
    poor = replace(signal, quality=np.full(len(signal), 0.39))
    good = replace(signal, quality=np.full(len(signal), 0.41))
    recordings = [Recording("d", str(k), signals={kind: s}) for k, s in enumerate([poor, good])]
    reasons = extract(recordings, length_s=None)["reason"].tolist()
    assert reasons == ["no clear pulse: quality 0.39, at least 0.4 is wanted", OK]


def test_its_timing_error_is_part_of_the_standard_errors(kind, monkeypatch) -> None:
    from emotion_rppg.features.hrv import table

    beats = Beats(heart(0.8), kind=kind)
    usual = table([beats])["rmssd_se_ms"].iloc[0]
    monkeypatch.setitem(KINDS, kind, replace(THUMP, least_ms=15.0))
    assert table([beats])["rmssd_se_ms"].iloc[0] > 2 * usual


def test_the_command_line_takes_it_as_a_source(kind) -> None:
    options = {"length": 60.0, "step": 30.0, "families": ["hrv"], "encoder": None}
    run_checks(*window_checks(source=kind, **options))
    with pytest.raises(InputError, match="known: auto, rppg, bvp, ecg, rr, thump"):
        run_checks(*window_checks(source="eeg", **options))

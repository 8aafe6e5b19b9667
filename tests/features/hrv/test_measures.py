"""All windows have one schema; values equal NeuroKit2's on the same beats; gaps stay open."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

from emotion_rppg.features import FAMILIES, hrv
from emotion_rppg.signals import Beats

NEUROKIT = {
    "mean_nn_ms": "MeanNN",
    "sdnn_ms": "SDNN",
    "rmssd_ms": "RMSSD",
    "sdsd_ms": "SDSD",
    "cvnn": "CVNN",
    "cvsd": "CVSD",
    "median_nn_ms": "MedianNN",
    "mad_nn_ms": "MadNN",
    "iqr_nn_ms": "IQRNN",
    "hti": "HTI",
    "lf_ms2": "LF",
    "hf_ms2": "HF",
    "lf_hf": "LFHF",
    "ln_hf": "LnHF",
    "sd1_ms": "SD1",
    "sd2_ms": "SD2",
    "sd1_sd2": "SD1SD2",
    "csi": "CSI",
    "cvi": "CVI",
    "apen": "ApEn",
    "sampen": "SampEn",
    "dfa_alpha1": "DFA_alpha1",
    "higuchi": "HFD",
}


def some_beats(n: int, *, seed: int = 0, start_ms: int = 1234) -> np.ndarray:
    """Beat times in whole ms, breathing at 15 a minute."""
    draw = np.random.default_rng(seed)
    at = 0.85 * np.arange(n)
    ibi = 850 + 40 * np.sin(2 * np.pi * 0.25 * at) + 30 * np.sin(2 * np.pi * 0.1 * at)
    ibi = np.round(ibi + draw.normal(0, 15, n)).astype(int)
    return start_ms + np.r_[0, np.cumsum(ibi[: max(n - 1, 0)])][:n]


@pytest.fixture(scope="module")
def neurokit() -> dict[str, float]:
    import neurokit2 as nk

    peaks = some_beats(400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [
            nk.hrv_time(peaks, sampling_rate=1000),
            nk.hrv_frequency(peaks, sampling_rate=1000, normalize=False),
            nk.hrv_nonlinear(peaks, sampling_rate=1000),
        ]
    return {k.removeprefix("HRV_"): float(part[k].iloc[0]) for part in parts for k in part}


@pytest.mark.parametrize("ours", NEUROKIT)
def test_values_equal_those_of_neurokit(ours: str, neurokit: dict[str, float]) -> None:
    value = hrv.table([Beats(some_beats(400) / 1000)])[ours].iloc[0]
    assert value == pytest.approx(neurokit[NEUROKIT[ours]], rel=1e-6)


@pytest.mark.parametrize(("n", "seed", "faster"), [(200, 2, 0.7), (171, 171, 1), (260, 1, 1)])
def test_spectra_equal_those_of_neurokit_at_any_length(n: int, seed: int, faster: float) -> None:
    import neurokit2 as nk

    steps = np.round(faster * np.diff(some_beats(n, seed=seed), prepend=0)).astype(int)
    peaks = np.cumsum(steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nk.hrv_frequency(peaks, sampling_rate=1000, normalize=False).iloc[0]
    row = hrv.table([Beats(peaks / 1000)]).iloc[0]
    assert row["lf_ms2"] == pytest.approx(theirs["HRV_LF"], rel=1e-6)
    assert row["hf_ms2"] == pytest.approx(theirs["HRV_HF"], rel=1e-6)


@pytest.mark.parametrize("n", [40, 57, 70, 83])
def test_hf_of_a_minute_equals_that_of_neurokit(n: int) -> None:
    import neurokit2 as nk

    peaks = some_beats(n, seed=n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nk.hrv_frequency(peaks, sampling_rate=1000, normalize=False).iloc[0]
    row = hrv.table([Beats(peaks / 1000)]).iloc[0]
    assert row["hf_ms2"] == pytest.approx(theirs["HRV_HF"], rel=1e-6)


@pytest.mark.parametrize("n", [40, 75, 1000])
def test_lomb_scargle_power_equals_that_of_scipy(n: int) -> None:
    from scipy.signal import lombscargle

    times = some_beats(n) / 1000
    at, nn = times[1:], np.diff(some_beats(n)).astype(float)
    hz = np.arange(0.04, 0.5, max(1 / (4 * (at[-1] - at[0])), 1e-3))
    power = 2 * nn.mean() / 1e3 * lombscargle(at, nn - nn.mean(), 2 * np.pi * hz)
    inside = (hz >= 0.15) & (hz < 0.4)
    row = hrv.table([Beats(times)]).iloc[0]
    assert row["hf_lomb_ms2"] == pytest.approx(np.trapezoid(power[inside], hz[inside]), rel=1e-6)


def test_where_definitions_differ_the_difference_is_the_documented_one(
    neurokit: dict[str, float],
) -> None:
    row = hrv.table([Beats(some_beats(400) / 1000)]).iloc[0]
    for ours, theirs in (("pnn20_pct", "pNN20"), ("pnn50_pct", "pNN50")):
        assert row[ours] * 398 / 399 == pytest.approx(neurokit[theirs], rel=1e-6)
    assert row["lf_nu"] / row["hf_nu"] == pytest.approx(neurokit["LFHF"], rel=1e-6)
    assert row["lf_nu"] + row["hf_nu"] == pytest.approx(100)


def test_a_triangular_histogram_has_its_base() -> None:
    bins = 100 + np.arange(-9, 10)  # of 1/128 s
    nn = np.repeat(bins + 0.5, 4 * (10 - np.abs(bins - 100))) / 128
    beats = Beats(np.r_[0, np.cumsum(np.random.default_rng(0).permutation(nn))])
    row = hrv.table([beats]).iloc[0]
    assert row["tinn_ms"] == pytest.approx(20 * 1000 / 128)
    assert row["hti"] == pytest.approx(10)


@pytest.mark.parametrize(
    ("hz", "band"), [(0.02, "vlf_ms2"), (0.1, "lf_ms2"), (0.25, "hf_ms2"), (0.25, "hf_lomb_ms2")]
)
def test_a_rhythm_of_40_ms_has_800_square_milliseconds_in_its_own_band(
    hz: float, band: str
) -> None:
    times = [0.0]
    while times[-1] < 600:
        times.append(times[-1] + 0.7 + 0.04 * np.sin(2 * np.pi * hz * times[-1]))
    row = hrv.table([Beats(times)]).iloc[0]
    assert row[band] == pytest.approx(800, rel=0.1)
    parts = row[["vlf_ms2", "lf_ms2", "hf_ms2"]]
    assert row["total_power_ms2"] == pytest.approx(parts.sum())
    assert parts.max() > 20 * (parts.sum() - parts.max())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_schema_is_the_same_for_any_number_of_beats(name: str) -> None:
    family = FAMILIES[name]
    wanted = family([Beats(some_beats(60) / 1000)]).dtypes
    for n in range(60):
        beats = Beats(some_beats(n) / 1000, span_s=(0, 60))
        found = family([beats]).dtypes
        assert list(found.index) == list(wanted.index)
        assert (found == wanted).all(), n
    empty = family([])
    assert list(empty) == list(wanted.index)
    assert len(empty) == 0


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("n", [30, 180])
def test_features_do_not_depend_on_the_start_time(name: str, n: int) -> None:
    times = some_beats(n) / 1000
    early, late = FAMILIES[name]([Beats(times), Beats(times + 86_000.123)]).iloc
    for column, value in early.items():
        if isinstance(value, str):
            assert value == late[column]
        else:
            assert late[column] == pytest.approx(value, rel=1e-6, nan_ok=True), column


@pytest.mark.parametrize("name", FAMILIES)
def test_features_do_not_depend_on_other_windows(name: str) -> None:
    windows = [Beats(some_beats(n, seed=n) / 1000) for n in (5, 200, 40, 0, 90)]
    together = FAMILIES[name](windows)
    for i, beats in enumerate(windows):
        for column, value in FAMILIES[name]([beats]).iloc[0].items():
            other = together[column].iloc[i]
            assert other == value or other == pytest.approx(value, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("span_s", [9, 29, 59, 119, 299])
def test_below_its_minimum_a_feature_is_nan_and_above_it_is_a_number(span_s: float) -> None:
    beats = Beats(some_beats(500) / 1000 - 1.2).crop(0, span_s)
    beats = Beats(beats.times_s, span_s=(0, span_s))
    row = hrv.table([beats]).iloc[0]
    for name, column in hrv.COLUMNS.items():
        missing = span_s < column.minimum_s * 0.98
        assert np.isnan(row[name]) == missing, name


def test_fewer_than_three_beats_give_nothing_but_their_number() -> None:
    row = hrv.table([Beats([1.0, 1.9], span_s=(0, 300))]).iloc[0]
    assert row["n_beats"] == 2
    assert row.drop(list(hrv.ABOUT)).isna().all()


def test_gaps_are_never_bridged() -> None:
    times = some_beats(120) / 1000
    late = np.r_[times[:60], times[60:] + 7.0]
    gap = [(times[59] + 0.1, late[60] - 0.1)]
    whole, cut = hrv.table([Beats(times), Beats(late, gaps=gap)]).iloc
    for name in ("mean_nn_ms", "sdnn_ms", "rmssd_ms", "sd1_ms", "iqr_nn_ms"):
        assert cut[name] == pytest.approx(whole[name], rel=0.05), name
    assert cut["hf_lomb_ms2"] == pytest.approx(whole["hf_lomb_ms2"], rel=0.35)
    assert cut["coverage"] < 0.95


def test_a_spectrum_needs_an_unbroken_stretch() -> None:
    times = some_beats(200) / 1000
    gaps = [(t + 0.1, t + 0.2) for t in times[20::25]]
    row = hrv.table([Beats(times, gaps=gaps)]).iloc[0]
    assert np.isnan(row["hf_ms2"])
    assert np.isfinite(row["hf_lomb_ms2"])


def test_respiration_rate_is_estimated_from_the_intervals() -> None:
    row = hrv.table([Beats(some_beats(150) / 1000)]).iloc[0]
    assert row["resp_rate_per_min"] == pytest.approx(15, abs=1)
    assert row["hf_peak_hz"] == pytest.approx(0.25, abs=0.02)


def test_constant_intervals_raise_nothing() -> None:
    row = hrv.table([Beats(np.arange(400) * 0.8)]).iloc[0]
    assert row["rmssd_ms"] == 0
    assert row["hr_bpm"] == pytest.approx(75)


def test_corrected_beats_are_counted() -> None:
    beats = Beats(np.arange(100) * 0.8, corrected=np.arange(100) < 5)
    assert hrv.table([beats])["corrected_share"].iloc[0] == pytest.approx(0.05)


def test_importing_features_loads_numpy_only() -> None:
    code = (
        "import sys, emotion_rppg.features\n"
        "assert not {'pandas', 'scipy', 'neurokit2', 'sklearn', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

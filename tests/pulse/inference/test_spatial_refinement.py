"""Spatial refinement removes noise of a network and does not reproduce invented waves."""

import sys

import numpy as np
import pytest

from emotion_rppg.pulse.inference import spatial_refinement
from emotion_rppg.pulse.inference.spatial_refinement import (
    CELLS,
    SpatialRefinement,
    refine,
    wave_of_crops,
)

RATE_HZ = 30.0


def pulse(seconds: float, rate_hz: float = RATE_HZ) -> np.ndarray:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    beat = 1.15 * t + 0.02 * np.sin(2 * np.pi * 0.25 * t)
    wave = np.sin(2 * np.pi * beat) + 0.4 * np.sin(4 * np.pi * beat + 1)
    return np.asarray((wave - wave.mean()) / wave.std())


def cells_with(wave: np.ndarray, seed: int = 0, strength: float = 0.004) -> np.ndarray:
    """Generate colours of 108 cells: a pulse of random strength, common light, noise."""
    draw = np.random.default_rng(seed)
    n, m = len(wave), CELLS * CELLS * 3
    light = np.cumsum(draw.normal(0, 0.003, n)) + 0.01 * draw.normal(0, 1, n)
    beat = strength * draw.uniform(0, 1, m) * wave[:, None]
    share = 1 - beat + draw.uniform(0.5, 1.5, m) * light[:, None]
    return draw.uniform(60, 200, m) * (share + draw.normal(0, 0.002, (n, m)))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("seconds", [10, 30, 150])
def test_refinement_removes_noise_of_the_network_where_cells_have_the_pulse(seconds) -> None:
    truth = pulse(seconds)
    wave = truth + np.random.default_rng(1).normal(0, 0.5, len(truth))
    found = refine(wave, cells_with(truth), RATE_HZ)
    assert correlation(wave, truth) < 0.91
    assert correlation(found, truth) > 0.98
    assert abs(np.std(found) - 1) < 0.05


def test_cells_without_a_pulse_do_not_reproduce_an_invented_wave() -> None:
    draw = np.random.default_rng(2)
    invented = draw.normal(0, 1, 900)
    cells = cells_with(np.zeros(900), seed=3)
    own = spatial_refinement.standardise(spatial_refinement.band_passed(invented, RATE_HZ))
    shares = spatial_refinement.band_passed(cells / cells.mean(axis=0), RATE_HZ)
    within = shares @ np.linalg.lstsq(shares, own, rcond=None)[0]
    assert correlation(within, own) > 0.4  # by chance, if a block were in its own fit
    for found in spatial_refinement._predict_left_out(shares, own, RATE_HZ):
        assert correlation(found, own) < 0.15
    assert correlation(refine(invented, cells, RATE_HZ), own) > 0.99


def test_each_block_is_predicted_from_the_other_blocks_alone() -> None:
    draw = np.random.default_rng(4)
    x, y = draw.normal(0, 1, (240, 20)), draw.normal(0, 1, 240)
    found = spatial_refinement._predict_left_out(x, y, RATE_HZ)
    mean_power = np.linalg.eigvalsh(x.T @ x).mean()
    for row, penalty in zip(found, spatial_refinement.PENALTIES, strict=True):
        for start in range(0, 240, 60):
            rest = np.r_[0:start, start + 60 : 240]
            square = x[rest].T @ x[rest] + penalty * mean_power * np.eye(20)
            weights = np.linalg.solve(square, x[rest].T @ y[rest])
            np.testing.assert_allclose(row[start : start + 60], x[start : start + 60] @ weights)


def test_gaps_stay_and_short_stretches_are_unchanged() -> None:
    truth = pulse(30)
    wave = truth + np.random.default_rng(5).normal(0, 0.5, len(truth))
    wave[600:630] = np.nan  # after it comes a stretch of less than eight seconds
    wave[800:] = np.nan
    found = refine(wave, cells_with(truth), RATE_HZ)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wave))
    np.testing.assert_array_equal(found[630:], wave[630:])
    assert correlation(found[:600], truth[:600]) > correlation(wave[:600], truth[:600]) + 0.05
    assert np.isfinite(refine(wave[:600], np.full((600, 108), 7.0), RATE_HZ)).all()  # no light


def test_at_most_two_minutes_are_fitted_together(monkeypatch) -> None:
    lengths = []
    original = spatial_refinement._refine_minute
    monkeypatch.setattr(
        spatial_refinement,
        "_refine_minute",
        lambda w, c, hz: lengths.append(len(w)) or original(w, c, hz),
    )
    truth = pulse(400, 10)
    found = refine(truth, cells_with(truth), 10)
    assert max(lengths) <= 1300
    assert len(lengths) == 7
    assert correlation(found, truth) > 0.98


@pytest.mark.parametrize("lag_s", [0.0, 0.2])
def test_cells_are_delayed_by_the_lag_of_the_network(lag_s) -> None:
    truth = pulse(30)
    late = round(lag_s * RATE_HZ)
    cells = cells_with(truth, strength=0.02)
    crops = [c.reshape(CELLS, CELLS, 3).astype(np.float32) for c in cells]
    noise = np.random.default_rng(6).normal(0, 0.5, len(truth))
    output = np.roll(truth, late) + noise

    def network(clip: np.ndarray) -> np.ndarray:
        first = int(np.flatnonzero([np.array_equal(clip[0], p) for p in crops])[0])
        return output[first : first + len(clip)]

    found = wave_of_crops(iter(crops), network, rate_hz=RATE_HZ, lag_s=lag_s)
    assert len(found) == len(truth)
    assert correlation(found[30:-30], np.roll(truth, late)[30:-30]) > 0.97
    refinement = SpatialRefinement(network, rate_hz=RATE_HZ, lag_s=lag_s)
    assert len(refinement.so_far()) == 0
    for crop in [*crops[:460], None]:
        refinement.add(crop)
    assert 400 < len(refinement.so_far()) <= 461


def test_crops_leave_no_small_blocks_of_memory() -> None:
    """Small blocks would fragment the memory of the crops: 60 MB a minute."""
    refinement = SpatialRefinement(lambda clip: clip.mean((1, 2, 3)), rate_hz=RATE_HZ)
    draw = np.random.default_rng(7)
    counts = []
    for _ in range(2):
        for _ in range(1200):  # a multiple of half chunks, so that as many crops are held
            refinement.add(draw.random((8, 8, 3), np.float32))
        counts.append(sys.getallocatedblocks())
    assert counts[1] - counts[0] < 800

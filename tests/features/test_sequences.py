"""Sequences survive a table and its file; arrays are padded at the end only."""

import io

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.features import morphology, sequences
from emotion_rppg.features.beats import find_beats
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import bvp

CONFIDENCE = sequences.CHANNELS.index("confidence")
TIMES = np.r_[0.0, 0.8123, 1.6114, 5.0, 5.805, 6.7]
BROKEN = Beats(TIMES, np.linspace(0.5, 1, 6), [(2.0, 4.8)])


def test_the_text_has_the_intervals_and_a_nan_at_the_gap() -> None:
    row = sequences.table([BROKEN]).iloc[0]
    assert row["seq_ibi_ms"] == "812.3 799.1 nan 805.0 895.0"
    assert len(row["seq_confidence"].split()) == 5


def test_token_differences_never_cross_a_gap() -> None:
    found = sequences.tokens(sequences.table([BROKEN]))
    assert found.shape == (1, 4, len(sequences.CHANNELS))
    np.testing.assert_allclose(found[0, :, 0], [812.3, 799.1, 805.0, 895.0])
    np.testing.assert_allclose(found[0, :, 1], [0, -13.2, 0, 90.0], atol=1e-6)
    np.testing.assert_allclose(found[0, :, CONFIDENCE], [0.5, 0.6, 0.8, 0.9])


def test_a_csv_changes_intervals_by_less_than_a_tenth_of_a_millisecond() -> None:
    draw = np.random.default_rng(0)
    many = [Beats(np.cumsum(draw.uniform(0.5, 1.2, n))) for n in (2, 5, 70, 3)]
    table = sequences.table([*many, Beats([])])
    file = io.StringIO(table.to_csv(index=False))
    back = sequences.tokens(pd.read_csv(file))
    assert back.shape == (5, 69, len(sequences.CHANNELS))
    for row, beats in zip(back, many, strict=False):
        known = np.isfinite(row[:, 0])
        np.testing.assert_allclose(row[known, 0], beats.intervals_ms, atol=0.051)
        assert (np.diff(known.astype(int)) <= 0).all()  # padded at the end only
    assert np.isnan(back[4]).all()


@pytest.mark.parametrize("empty", ["", None, np.nan, "nan"])
def test_an_empty_cell_is_no_tokens(empty: object) -> None:
    table = pd.DataFrame({"seq_ibi_ms": [empty, "800.0"], "seq_confidence": [empty, "1.0"]})
    found = sequences.tokens(table)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1, :, [0, 1, CONFIDENCE]]).all()


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"hr_bpm": [60.0]}),
        pd.DataFrame({"seq_ibi_ms": ["800 what"]}),
        pd.DataFrame({"seq_ibi_ms": ["800 810"], "seq_confidence": ["1"]}),
        pd.DataFrame({"seq_ibi_ms": ["800 810"], "seq_rise_ms": ["150"]}),
    ],
)
def test_an_invalid_sequence_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(InputError):
        sequences.tokens(table)


def test_the_tachogram_has_a_hole_where_the_beats_have_a_gap() -> None:
    signal = sequences.tachogram(BROKEN)
    inside = (signal.times_s > 1.7) & (signal.times_s < 5.7)
    assert np.isnan(signal.samples[inside]).all()
    known = signal.samples[np.isfinite(signal.samples)]
    assert ((known > 790) & (known < 900)).all()
    assert signal.rate_hz == 4


def test_the_tachogram_follows_the_breath() -> None:
    times = np.cumsum(0.8 + 0.05 * np.sin(2 * np.pi * 0.25 * 0.8 * np.arange(150)))
    signal = sequences.tachogram(Beats(times))
    samples = signal.samples[np.isfinite(signal.samples)]
    power = np.abs(np.fft.rfft(samples - samples.mean()))
    assert np.fft.rfftfreq(len(samples), 0.25)[power.argmax()] == pytest.approx(0.25, abs=0.02)


@pytest.fixture(scope="module")
def pulses() -> tuple[Signal, Beats]:
    wave = bvp(heart(Person(3), 5, 5, 40.0, seed=1))
    return wave, find_beats(wave)


def test_a_token_has_the_shape_of_the_pulse_that_begins_its_interval(pulses) -> None:
    wave, beats = pulses
    found = sequences.tokens(sequences.table([beats], [wave]))[0]
    truth = morphology.per_beat(beats, wave)[:-1]
    at = sequences.CHANNELS.index
    np.testing.assert_allclose(found[:, at("rise_ms")], truth["pulse_rise_ms"], atol=0.5)
    np.testing.assert_allclose(found[:, at("width_ms")], truth["pulse_width_50_ms"], atol=0.051)
    height = truth["pulse_amplitude_au"]
    np.testing.assert_allclose(found[:, at("amplitude")], height / height.median(), rtol=1e-4)
    louder = Signal(100 * wave.samples, wave.rate_hz, kind="bvp")
    again = sequences.tokens(sequences.table([beats], [louder]))[0]
    np.testing.assert_allclose(again, found, rtol=1e-3)  # amplitude is relative


def test_an_ecg_and_beats_alone_have_no_shape(pulses) -> None:
    wave, beats = pulses
    for given in (Signal(wave.samples, wave.rate_hz, kind="ecg"), None):
        made = sequences.table([beats], [given])
        assert (made[list(sequences.SHAPE)] == "").all(axis=None)
        found = sequences.tokens(made)[0]
        np.testing.assert_array_equal(np.isnan(found).all(axis=0), [0, 0, 1, 1, 1, 0])


def test_tachograms_of_a_table_are_those_of_the_beats(pulses) -> None:
    beats = pulses[1]
    found = sequences.tachograms(sequences.table([beats, BROKEN, Beats([])]))
    assert not beats.gaps
    from_start = sequences.tachogram(Beats(beats.times_s - beats.times_s[0])).samples
    own = from_start[np.isfinite(from_start)]
    np.testing.assert_allclose(found[0, : len(own), 0], own, atol=0.2)
    broken = found[1, :, 0]
    assert np.isnan(broken[: np.flatnonzero(np.isfinite(broken))[-1]]).any()  # the gap
    assert np.isnan(found[2]).all()


def test_waves_are_standardised_and_nan_where_missing(pulses) -> None:
    wave = pulses[0]
    hole = np.where((wave.times_s > 10) & (wave.times_s < 12), np.nan, 7 + 3 * wave.samples)
    found = sequences.wave_sequences(
        [wave, Signal(hole, wave.rate_hz, kind="bvp"), None], rate_hz=32
    )
    assert found.shape == (3, 40 * 32, 1)
    np.testing.assert_allclose(found[0].mean(), 0, atol=1e-9)
    np.testing.assert_allclose(found[0].std(), 1, atol=1e-9)
    assert np.isnan(found[1, 10 * 32 + 1 : 12 * 32]).all()
    assert np.nanstd(found[1]) == pytest.approx(1)
    assert np.isnan(found[2]).all()

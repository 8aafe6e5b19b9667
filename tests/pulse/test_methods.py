"""Each classic method estimates a known pulse with its polarity, as public implementations do."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.pulse import methods

METHODS = {
    name: getattr(methods, name) for name in ["green", "chrom", "pos", "ica", "lgi", "pbv", "omit"]
}
SKIN = np.array([180.0, 120.0, 95.0])
PULSE = np.array([0.33, 0.77, 0.53])  # de Haan and van Leest 2014: how blood darkens R, G, B
Method = Callable[[np.ndarray, float], np.ndarray]


def every_method(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)(test)


def face(
    seconds: float = 20, rate: float = 30, bpm: float = 72, *, noise: float = 1e-3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Skin colours with a pulse, drifting light and noise -> (rgb, blood volume)."""
    random = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    blood = np.sin(2 * np.pi * bpm / 60 * t) + 0.3 * np.sin(4 * np.pi * bpm / 60 * t + 1)
    light = 1 + 0.02 * np.sin(2 * np.pi * 0.15 * t)
    rgb = SKIN * light[:, None] * (1 - 0.006 * blood[:, None] * PULSE)
    return rgb * (1 + noise * random.standard_normal(rgb.shape)), blood


def banded(wave: np.ndarray, rate: float) -> np.ndarray:
    from scipy.signal import butter, filtfilt

    return filtfilt(*butter(3, (0.7, 2.5), "bandpass", fs=rate), wave)


def correlation(a: np.ndarray, b: np.ndarray, rate: float) -> float:
    return float(np.corrcoef(banded(a, rate), banded(b, rate))[0, 1])


def bpm_of(wave: np.ndarray, rate: float) -> float:
    power = np.abs(np.fft.rfft(banded(wave, rate) * np.hanning(len(wave)), 2**16))
    return float(60 * np.fft.rfftfreq(2**16, 1 / rate)[power.argmax()])


@every_method
@pytest.mark.parametrize("rate", [15.0, 25.0, 30.0, 60.0])
def test_a_known_pulse_is_estimated_with_its_polarity(method: Method, rate: float) -> None:
    rgb, blood = face(rate=rate, bpm=80)
    wave = method(rgb, rate)
    assert wave.shape == (len(rgb),)
    assert bpm_of(wave, rate) == pytest.approx(80, abs=1)
    assert correlation(wave, blood, rate) > 0.7


@every_method
def test_the_unit_of_the_colours_does_not_matter(method: Method) -> None:
    rgb, _ = face()
    assert correlation(method(rgb, 30), method(rgb / 255, 30), 30) > 1 - 1e-6


@every_method
def test_methods_are_deterministic_and_leave_the_input_unchanged(method: Method) -> None:
    rgb, _ = face()
    before = rgb.copy()
    np.testing.assert_array_equal(method(rgb, 30), method(rgb, 30))
    np.testing.assert_array_equal(rgb, before)


@every_method
@pytest.mark.parametrize("colour", [(0, 0, 0), (90, 90, 90), (0, 120, 0)])
def test_constant_colours_give_no_pulse(method: Method, colour: tuple[float, float, float]) -> None:
    wave = method(np.tile(np.array(colour, float), (120, 1)), 30)
    np.testing.assert_allclose(wave, 0, atol=1e-6)


@every_method
def test_a_grey_video_gives_a_finite_wave(method: Method) -> None:
    rgb, _ = face()
    assert np.isfinite(method(np.repeat(rgb[:, 1:2], 3, axis=1), 30)).all()


@every_method
def test_unusable_input_raises_an_error_with_the_reason(method: Method) -> None:
    rgb, _ = face()
    with pytest.raises(InputError, match=r"want \(n, 3\)"):
        method(rgb.T, 30)
    with pytest.raises(InputError, match="at least 48, one window of"):
        method(rgb[:47], 30)
    assert len(method(rgb[:48], 30)) == 48
    with pytest.raises(InputError, match="NaN"):
        method(np.where(np.arange(len(rgb))[:, None] == 5, np.nan, rgb), 30)
    with pytest.raises(InputError, match="hertz"):
        method(rgb, 0)


@every_method
def test_memory_is_proportional_to_length(method: Method) -> None:
    """Ten minutes: n × n would be 2.6 GB."""
    rgb, _ = face(600)
    method(rgb[:300], 30)  # imports are not counted
    tracemalloc.start()
    method(rgb, 30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * rgb.nbytes


@pytest.mark.parametrize("n", [48, 49, 50, 71, 72, 73, 100, 101, 299, 300])
def test_running_sums_give_the_sum_over_the_windows(n: int) -> None:
    """POS computed window by window, as in its paper, is the same."""
    rgb, _ = face(seed=3)
    rgb = rgb[:n]
    length, wanted = 48, np.zeros(n)
    for start in range(n - length + 1):
        part = rgb[start : start + length] / rgb[start : start + length].mean(axis=0)
        s1, s2 = part @ [0, 1, -1], part @ [-2, 1, 1]
        h = s1 + s1.std() / s2.std() * s2
        wanted[start : start + length] -= h - h.mean()
    np.testing.assert_allclose(methods.pos(rgb, 30), wanted, atol=1e-9)


@pytest.fixture(params=["a30", "b25", "c30"])
def golden(request: pytest.FixtureRequest, real_data: Path) -> dict[str, np.ndarray]:
    """Traces with the outputs of two public implementations, beside the real recordings."""
    path = real_data.parent / "golden" / f"classic_{request.param}.npz"
    if not path.is_file():
        pytest.skip(f"no golden traces beside the real recordings: {path.name}")
    with np.load(path) as file:
        return dict(file)


@pytest.mark.parametrize("name", ["pbv", "lgi", "omit"])
@pytest.mark.parametrize("implementation", ["pv", "tb"])
def test_waves_equal_those_of_public_implementations(
    name: str, implementation: str, golden: dict[str, np.ndarray]
) -> None:
    wave = METHODS[name](golden["rgb"], float(golden["fs"]))
    reference = golden[f"{implementation}_{name.upper()}"]
    ours = -(wave - wave.mean())
    reference = reference - reference.mean()
    np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-6 * np.abs(reference).max())


@pytest.mark.parametrize(("name", "key", "sign"), [("pos", "pv_POS", -1), ("chrom", "tb_CHROM", 1)])
def test_waves_correlate_with_those_of_public_implementations(
    name: str, key: str, sign: int, golden: dict[str, np.ndarray]
) -> None:
    rate, reference = float(golden["fs"]), golden[key]
    ours = METHODS[name](golden["rgb"], rate)[: len(reference)]
    assert sign * correlation(ours, reference, rate) >= 0.999


def test_ica_gives_the_rate_of_a_public_implementation(golden: dict[str, np.ndarray]) -> None:
    rate = float(golden["fs"])
    ours = methods.ica(golden["rgb"], rate)
    assert bpm_of(ours, rate) == pytest.approx(bpm_of(golden["tb_ICA"], rate), abs=1)


@every_method
def test_the_golden_pulse_has_the_right_polarity(
    method: Method, golden: dict[str, np.ndarray]
) -> None:
    rate = float(golden["fs"])
    assert correlation(method(golden["rgb"], rate), golden["label"], rate) > 0.7


def test_detrending_equals_that_of_a_public_implementation(golden: dict[str, np.ndarray]) -> None:
    ours = methods.detrend(golden["rgb"][:, 1], 30.0)
    np.testing.assert_allclose(ours, golden["detrend100_green"], atol=1e-6)

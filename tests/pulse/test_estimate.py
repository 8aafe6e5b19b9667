"""From video to wave: method names, gaps, overlap-add, polarity, imports."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.estimate import (
    NetworkWave,
    _by_runs,
    _on_even_grid,
    estimate,
    estimate_each,
)
from emotion_rppg.pulse.inference.overlap_add import overlap_add, resample_crops
from emotion_rppg.pulse.inference.trained_network import Network, load_network, waveform_from_clip
from emotion_rppg.pulse.training.train import TrainingConfig, synthetic_clips, train
from emotion_rppg.runtime.devices import pick_device
from emotion_rppg.signal_quality import heart_rate
from emotion_rppg.video.detectors import TYPICAL_LANDMARKS
from emotion_rppg.video.face_tracking import FaceFrame

CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"
TRUE_BPM = 72.0


@pytest.fixture(scope="module")
def network_folder(tmp_path_factory) -> Path:
    recipe = TrainingConfig(size=16, frames=32, steps=2, batch_size=2)
    return train(
        synthetic_clips(recipe)[0],
        tmp_path_factory.mktemp("net") / "tiny",
        recipe=recipe,
        device="cpu",
        trained_on={"synthetic-clips": ["1"]},
    )


def mean_green(clip: np.ndarray) -> np.ndarray:
    return clip[..., 1].mean((1, 2)).astype(float)


def z(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / x.std()


@pytest.mark.slow
def test_a_classic_method_estimates_the_rate_of_the_clip() -> None:
    wave = estimate(CLIP, "pos")
    assert wave.kind == "rppg"
    assert wave.coverage == 1.0
    assert heart_rate(wave) == pytest.approx(TRUE_BPM, abs=2)
    assert wave.quality is not None
    assert wave.quality.mean() > 0.5


@pytest.mark.slow
def test_progress_counts_the_frames() -> None:
    reported: list[tuple[int, int]] = []
    estimate(CLIP, "green", progress=lambda done, total: reported.append((done, total)))
    assert reported == [(k, 360) for k in range(30, 361, 30)]


def test_colours_leave_no_small_blocks_of_memory() -> None:
    counts: list[int] = []
    estimate(
        CLIP,
        "green",
        region="full",
        preview=lambda _: counts.append(sys.getallocatedblocks()),
    )
    assert len(counts) == 11  # one a second of 30 frames
    assert (
        counts[-1] - counts[1] < 400
    )  # the ten seconds between have 300 frames, of two objects or more


@pytest.mark.slow
def test_several_methods_give_the_waves_of_each_alone(network_folder) -> None:
    methods = ["pos", network_folder, "green"]
    for method, wave in zip(methods, estimate_each(CLIP, methods, device="cpu"), strict=True):
        together, alone = wave(), estimate(CLIP, method, device="cpu")
        np.testing.assert_array_equal(together.samples, alone.samples)
        np.testing.assert_array_equal(together.quality, alone.quality)
        assert (together.rate_hz, together.start_s) == (alone.rate_hz, alone.start_s)


@pytest.mark.slow
def test_a_function_is_accepted_in_place_of_a_name() -> None:
    def own(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
        return -rgb[:, 1]

    by_function, by_name = estimate(CLIP, own), estimate(CLIP, "green")
    assert np.corrcoef(by_function.samples, by_name.samples)[0, 1] > 0.999
    with pytest.raises(InputError, match="want one value a frame"):
        estimate(CLIP, lambda rgb, rate: rgb[:5, 0])


def test_unknown_and_incomplete_names_say_what_to_do(tmp_path) -> None:
    with pytest.raises(InputError, match=r"unknown rPPG method 'poz'; known: chrom, .*green"):
        estimate(CLIP, "poz")
    with pytest.raises(InputError, match="--weights DIR"):
        estimate(CLIP, "cnn3d")
    with pytest.raises(InputError, match=r"config\.json"):
        estimate(CLIP, tmp_path)
    with pytest.raises(InputError, match="unknown device"):
        pick_device("abacus")


def test_missing_skin_leaves_a_gap_in_the_wave() -> None:
    times = np.arange(300) / 30
    rgb = 100 + np.random.default_rng(0).normal(0, 1, (300, 3))
    rgb[100:110] = np.nan  # a third of a second
    rate, grid, colours = _on_even_grid(times, rgb)
    assert rate == pytest.approx(30)
    unseen = ~np.isfinite(colours[:, 0])
    assert unseen[100:110].all()
    assert unseen.sum() <= 12
    wave = _by_runs(colours, rate, lambda c, hz: c[:, 0])
    assert np.isnan(wave[100:110]).all()
    assert len(wave) == len(grid)


def test_too_short_a_face_track_gives_no_wave() -> None:
    colours = np.full((300, 3), np.nan)
    colours[:20] = 100.0
    assert np.isnan(_by_runs(colours, 30.0, lambda c, hz: c[:, 0])).all()


def test_uneven_frames_are_resampled_to_an_even_grid() -> None:
    draw = np.random.default_rng(1)
    times = np.cumsum(draw.uniform(0.02, 0.05, 400))
    crops = [np.full((2, 2, 3), 100 + 50 * np.sin(t), np.float32) for t in times]
    timed = list(zip(times, crops, strict=True))
    even = list(resample_crops(timed, 30.0))
    at = times[0] + np.arange(len(even)) / 30.0
    values = np.array([p[0, 0, 0] for p in even])
    np.testing.assert_allclose(values[:-1], 100 + 50 * np.sin(at[:-1]), atol=0.1)
    assert abs(at[-1] - times[-1]) < 1 / 30


def test_a_hole_between_frames_is_not_bridged() -> None:
    crop = np.zeros((2, 2, 3), np.uint8)
    even = list(resample_crops([(t, crop) for t in (0.0, 0.1, 1.1, 1.2)], 10.0))
    assert [p is None for p in even] == [False, *[True] * 10, False, False]


@pytest.mark.parametrize("n", [40, 100, 149, 150, 151, 180, 250, 733])
def test_overlap_add_is_seamless(n) -> None:
    clip = np.random.default_rng(2).uniform(0, 255, (n, 2, 2, 3))
    clip += 30 * np.sin(np.arange(n) / 4)[:, None, None, None]
    wave = overlap_add(iter(clip), lambda c: z(mean_green(c)), chunk=100)
    assert len(wave) == n
    if n <= 150:
        np.testing.assert_allclose(wave, z(mean_green(clip)), atol=1e-9)
    assert np.corrcoef(wave, mean_green(clip))[0, 1] > 0.98


@pytest.mark.parametrize(("n", "frames"), [(150, 150), (151, 200), (180, 200), (1000, 1220)])
def test_a_fifth_of_a_chunk_is_read_twice(n, frames) -> None:
    read = []
    network = lambda clip: read.append(len(clip)) or mean_green(clip)  # noqa: E731
    overlap_add((np.full((2, 2, 3), k % 7, np.float32) for k in range(n)), network, chunk=100)
    assert sum(read) == frames


def test_overlap_add_reads_a_chunk_and_a_half_at_most_whatever_the_length() -> None:
    most = 0

    def network(clip: np.ndarray) -> np.ndarray:
        nonlocal most
        most = max(most, len(clip))
        return mean_green(clip)

    endless = (np.full((2, 2, 3), k % 7, np.float32) for k in range(2000))
    overlap_add(endless, network, chunk=64)
    assert 64 <= most < 96


def test_missing_crops_are_gaps_in_the_wave() -> None:
    clip = list(np.random.default_rng(3).uniform(0, 255, (90, 2, 2, 3)))
    clip[40] = clip[41] = None
    wave = overlap_add(iter(clip), mean_green, chunk=30)
    assert np.flatnonzero(np.isnan(wave)).tolist() == [40, 41]


@pytest.mark.slow
def test_a_network_reads_a_video_and_a_clip(network_folder) -> None:
    wave = estimate(CLIP, network_folder, device="cpu")
    assert wave.rate_hz == 30.0
    assert wave.duration_s == pytest.approx(12.0, abs=0.1)
    assert np.isfinite(wave.samples).all()
    clip = np.random.default_rng(4).integers(0, 255, (70, 16, 16, 3), dtype=np.uint8)
    assert waveform_from_clip(clip, rate_hz=25.0, network=network_folder).shape == (70,)
    by_name = estimate(CLIP, "physnet", weights=network_folder, device="cpu")
    np.testing.assert_array_equal(by_name.samples, wave.samples)


def test_a_clip_of_a_wrong_type_or_size_is_refused(network_folder) -> None:
    for clip in (np.zeros((9, 16, 16, 3)), np.zeros((9, 20, 20, 3), np.uint8)):
        with pytest.raises(InputError, match=r"want uint8 \(frames, 16, 16, 3\)"):
            waveform_from_clip(clip, rate_hz=30.0, network=network_folder)


def test_a_clip_that_cannot_be_read_is_refused_with_the_reason(network_folder) -> None:
    clip = np.zeros((90, 16, 16, 3), np.uint8)
    for rate_hz in (0.0, -30.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="positive number of hertz"):
            waveform_from_clip(clip, rate_hz=rate_hz, network=network_folder)
    for frames, rate_hz in ((0, 30.0), (1, 30.0), (9, 30.0), (90, 1.0)):
        with pytest.raises(InputError, match="too few to read a pulse"):
            waveform_from_clip(clip[:frames], rate_hz=rate_hz, network=network_folder)


@pytest.mark.slow
def test_a_network_name_has_priority_over_a_folder_of_that_name(
    network_folder, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cnn3d", "physnet"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="--weights DIR"):
        estimate(CLIP, "cnn3d")
    found = estimate(CLIP, "physnet", weights=network_folder, device="cpu")
    assert np.isfinite(found.samples).all()


def test_crops_are_as_wide_as_those_of_the_training() -> None:
    image = np.zeros((120, 120, 3), np.uint8)
    image[40:80, 40:80] = 200  # the face's box
    frame = FaceFrame(0.0, image, (40, 40, 40, 40), TYPICAL_LANDMARKS * 40 + 40)
    config = {"rate_hz": 30.0, "size": 33, "normalisation": "raw", "polarity": 1, "lag_s": 0.0}
    bright = {}
    for width in (1.0, None):
        own = config if width is None else {**config, "crop_width": width}
        reader = NetworkWave(Network(lambda x: x.mean((1, 3, 4)), own, "cpu"))
        reader.add(frame)
        image_of_net = reader.even.last()
        assert image_of_net is not None
        bright[width] = float((image_of_net > 100).mean())
    assert bright[1.0] == 1.0
    assert bright[None] == pytest.approx(1 / 1.65**2, abs=0.05)


def test_polarity_inverts_the_wave(network_folder) -> None:
    from dataclasses import replace

    net = load_network(network_folder, device="cpu")
    clip = np.random.default_rng(5).uniform(0, 255, (32, 16, 16, 3))
    inverted = replace(net, config={**net.config, "polarity": -1})
    np.testing.assert_allclose(inverted(clip), -net(clip))


def test_damaged_folders_are_refused(network_folder, tmp_path) -> None:
    import json
    import shutil

    for name, change in (
        ("kind", {"kind": "emotion"}),
        ("network", {"network": "physnot"}),
        ("lacks size", {"size": None}),
        ("cannot be used", {"options": {"depth": 3}}),
        ("has rate_hz 'fast'", {"rate_hz": "fast"}),
        ("has rate_hz 0", {"rate_hz": 0}),
        ("has rate_hz 1000000000.0", {"rate_hz": 1e9}),
        ("has size -1", {"size": -1}),
        ("pixels a second", {"size": 512, "rate_hz": 240}),
        ("has lag_s nan", {"lag_s": float("nan")}),
        ("has crop_width inf", {"crop_width": float("inf")}),
        ("want one of 1, -1", {"polarity": 0}),
        ("has network", {"network": ["physnet"]}),
        ("has trained_on", {"trained_on": {"a": 3}}),
        ("numbers up to 4096", {"network": "cnn2d_lstm", "options": {"hidden": 10**6}}),
        ("negative dimension", {"network": "cnn3d", "options": {"width": -64}}),
        ("does not fit CNN2DLSTM", {"network": "cnn2d_lstm", "options": {"hidden": 4096}}),
    ):
        folder = tmp_path / name
        shutil.copytree(network_folder, folder)
        config = json.loads((folder / "config.json").read_text()) | change
        config = {k: v for k, v in config.items() if v is not None}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(InputError, match=name):
            load_network(folder)
    weights = tmp_path / "kind" / "model.safetensors"
    shutil.copy(network_folder / "config.json", tmp_path / "kind" / "config.json")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged"):
        load_network(tmp_path / "kind")


def test_weights_that_are_not_finite_numbers_are_refused(network_folder, tmp_path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    for name, key, value in (
        ("nan", "ConvBlock1.0.weight", float("nan")),
        ("inf", "ConvBlock5.0.bias", float("inf")),
        ("variance", "ConvBlock5.1.running_var", -1.0),
        ("complex", "ConvBlock5.0.bias", 1j),
    ):
        folder = tmp_path / name
        shutil.copytree(network_folder, folder)
        tensors = load_file(folder / "model.safetensors")
        tensors[key] = torch.full_like(tensors[key], value, dtype=torch.tensor(value).dtype)
        save_file(tensors, folder / "model.safetensors")
        with pytest.raises(InputError, match=f"{key} has values that are not finite"):
            load_network(folder)


def test_a_wave_that_is_not_finite_is_refused(network_folder) -> None:
    from dataclasses import replace

    import torch

    net = load_network(network_folder, device="cpu")
    overflowing = replace(net, module=lambda x: torch.full((1, x.shape[2]), torch.inf))
    with pytest.raises(InputError, match="not finite"):
        overflowing(np.zeros((32, 16, 16, 3)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "forbidden"),
    [
        ("pos", {"torch", "lightning_fabric", "neurokit2"}),
        (None, {"lightning_fabric", "neurokit2"}),
    ],
)
def test_inference_loads_no_more_than_it_needs(method, forbidden, network_folder) -> None:
    code = (
        "import sys; from emotion_rppg import estimate, find_beats\n"
        f"find_beats(estimate({str(CLIP)!r}, {method or str(network_folder)!r}, device='cpu'))\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert not set(run.stdout.split()) & forbidden


@pytest.mark.slow
def test_a_real_face_of_known_rate(real_data) -> None:
    path = real_data / "faces" / "known_rate" / "evm_face.mp4"
    if not path.is_file():
        pytest.skip("evm_face.mp4 is missing")
    assert 50 <= heart_rate(estimate(path, "pos")) <= 60

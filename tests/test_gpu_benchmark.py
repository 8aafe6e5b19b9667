"""The GPU benchmark: its functions run on a CPU with tiny sizes, and it ends well without a GPU."""

from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from emotion_rppg.pulse.inference.trained_network import BUNDLED, load_network
from emotion_rppg.pulse.networks import NETWORKS

CLIP = Path(__file__).parents[1] / "data" / "synthetic_clip.mp4"
TINY = gpu.Shape(batch=2, frames=16, size=16)


def test_without_a_gpu_it_says_so(monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main()
    assert capsys.readouterr().out == "no GPU here\n"


def test_networks_are_compared_with_the_cpu_and_timed() -> None:
    variants = ("eager", "bf16", "bf16, channels last")
    header, row = gpu.network_table(
        "cpu", names=["physnet"], variants=variants, shape=TINY, rounds=1
    )
    assert header[2:5] == list(variants)
    assert row[:2] == ["physnet", "0e+00"]
    assert all(float(cell.replace(",", "")) > 0 for cell in row[2:5])


def test_a_network_that_differs_between_devices_is_marked(monkeypatch) -> None:
    class Drifting(NETWORKS["physnet"]):
        def to(self, device):  # as if the other device rounded
            torch.nn.init.constant_(self.ConvBlock9[0].bias, 0.1)
            return super().to(device)

    monkeypatch.setitem(NETWORKS, "physnet", Drifting)
    assert gpu.difference("physnet", "cpu", TINY) > gpu.TOLERANCE
    _, row = gpu.network_table("cpu", names=["physnet"], variants=["eager"], shape=TINY, rounds=1)
    assert row[1].startswith("**")


def test_a_variant_that_fails_leaves_the_others(monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda module: lambda clip: 1 / 0)
    _, row = gpu.network_table(
        "cpu", names=["physnet"], variants=["eager", "compiled"], shape=TINY, rounds=1
    )
    assert float(row[2].replace(",", "")) > 0
    assert row[3] == "failed: ZeroDivisionError"


@pytest.mark.slow
def test_training_is_timed_in_both_precisions() -> None:
    rows = gpu.training_table("cpu", shape=gpu.Shape(batch=3, frames=128, size=16), rounds=1)
    assert [row[0] for row in rows[1:]] == ["float32", "bf16", "drawing clips, one core"]
    assert all(float(row[1].replace(",", "")) > 0 for row in rows[1:])


@pytest.mark.slow
def test_a_folder_is_timed_by_stage_and_by_readers() -> None:
    network = load_network(BUNDLED["physnet"], device="cpu")
    parts = gpu.stages(CLIP, network)
    assert list(parts) == ["decoding", "faces", "crops", "transfer to the device", "network"]
    assert min(parts.values()) >= 0
    last = gpu.stage_table(parts)[-1]
    assert last[0] == f"bounded by {max(parts, key=parts.get)}"
    header, *rows = gpu.folder_table([CLIP, CLIP], network, readers=(1, 2))
    assert [row[0] for row in rows] == ["1", "2"]
    assert len(rows[0]) == len(header)
    text = gpu.as_markdown([header, *rows]).splitlines()
    assert len(text) == 4
    assert text[1] == "|---|---|---|---|---"[: 4 * len(header)] + "|"

"""Several videos in one batch give the waves that each gives alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.estimate import estimate
from emotion_rppg.pulse.inference.batching import Batches, estimate_many
from emotion_rppg.pulse.inference.trained_network import BUNDLED, load_network
from emotion_rppg.signals import Signal

CLIP = Path(__file__).parents[3] / "data" / "synthetic_clip.mp4"


class Held:
    """A network whose first call waits until ``release`` is set; it records the batch sizes."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Event(), threading.Event()
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.shapes.append(tuple(x.shape[:3]))
        self.begun.set()
        assert self.release.wait(60)
        if x.shape[2] == 3:
            raise InputError("too few frames")
        return x.mean((1, 3, 4))


def queued(batches: Batches, held: Held, clips: list[Tensor]) -> list:
    """Let the first clip occupy the network while all others queue, then release it."""
    with ThreadPoolExecutor(len(clips)) as threads:
        results = [threads.submit(batches, clips[0])]
        assert held.begun.wait(60)
        for clip in clips[1:]:
            before = len(batches._waiting)
            results.append(threads.submit(batches, clip))
            while len(batches._waiting) == before:  # so that the order of the queue is known
                threading.Event().wait(0.001)
        held.release.set()
        return results


def clips(*frames: int) -> list[Tensor]:
    return [torch.full((1, 3, n, 2, 2), float(k)) for k, n in enumerate(frames)]


def test_chunks_that_wait_are_one_batch_and_each_gets_its_own_wave() -> None:
    held = Held()
    batches = Batches(held)
    results = queued(batches, held, clips(8, 8, 8, 8))
    for k, result in enumerate(results):
        torch.testing.assert_close(result.result(), torch.full((1, 8), float(k)))
    assert batches.sizes == [1, 3]


def test_a_batch_has_one_shape_and_a_largest_size() -> None:
    held = Held()
    batches = Batches(held, largest=2)
    results = queued(batches, held, clips(8, 8, 4, 8, 8))
    for k, result in enumerate(results):
        assert (result.result() == k).all()
    assert held.shapes[1:] == [(2, 3, 8), (1, 3, 4), (1, 3, 8)]


def test_an_error_reaches_every_reader_of_the_batch_and_no_other() -> None:
    held = Held()
    results = queued(Batches(held), held, clips(8, 3, 3, 8))
    for result in results[1:3]:
        with pytest.raises(InputError, match="too few"):
            result.result()
    assert (results[3].result() == 3).all()


@pytest.mark.slow
def test_many_videos_have_the_waves_of_each_alone(tmp_path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    network = load_network(BUNDLED["physnet"], device="cpu")
    found = list(estimate_many([CLIP, broken, CLIP], network, readers=3))
    assert isinstance(found[1], InputError)
    assert "broken.mp4" in str(found[1])
    alone = estimate(CLIP, network)
    for wave in (found[0], found[2]):
        assert isinstance(wave, Signal)
        np.testing.assert_allclose(wave.samples, alone.samples, atol=1e-4)
        assert wave.start_s == alone.start_s

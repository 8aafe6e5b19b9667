"""Run one network for several videos at once: chunks that wait together are one batch.

Each video is decoded, tracked and cropped in a thread of its own. While the device computes, chunks
of other videos arrive and form the next batch, so the device does not wait for one file. A wave
does not depend on the batch: all normalisations are of single clips, and BatchNorm is in eval mode.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.inference.trained_network import Network
from emotion_rppg.recordings import Video
from emotion_rppg.signals import Signal

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_BATCH = 32
_Waiting = tuple["Tensor", "Future[Tensor]"]


class Batches:
    """A network for threads: (1, 3, frames, h, w) -> (1, frames), computed in batches.

    The thread that gets hold of the device computes all chunks that wait, its own among them.
    """

    def __init__(self, module: Callable[[Tensor], Tensor], *, largest: int = LARGEST_BATCH) -> None:
        self.module, self.largest = module, largest
        self.sizes: list[int] = []  # of the batches so far
        self._waiting: list[_Waiting] = []
        self._queue, self._device = threading.Lock(), threading.Lock()

    def __call__(self, x: Tensor) -> Tensor:
        """(1, 3, frames, h, w) -> (1, frames)."""
        result: Future[Tensor] = Future()
        with self._queue:
            self._waiting.append((x, result))
        while not result.done():
            with self._device:
                if not result.done():
                    self._compute(self._next())
        return result.result()

    def _next(self) -> list[_Waiting]:
        """Take the chunks that wait and have the shape of the first, ``largest`` at most."""
        with self._queue:
            shape = self._waiting[0][0].shape
            alike = [k for k, (x, _) in enumerate(self._waiting) if x.shape == shape]
            chosen = set(alike[: self.largest])
            batch = [item for k, item in enumerate(self._waiting) if k in chosen]
            self._waiting = [item for k, item in enumerate(self._waiting) if k not in chosen]
        return batch

    def _compute(self, batch: list[_Waiting]) -> None:
        import torch

        try:
            waves = self.module(torch.cat([x for x, _ in batch]))
        except BaseException as error:
            for _, result in batch:
                result.set_exception(error)
            return
        self.sizes.append(len(batch))
        for k, (_, result) in enumerate(batch):
            result.set_result(waves[k : k + 1])


def estimate_many(
    videos: Sequence[Video | str | Path],
    network: Network,
    *,
    readers: int = 8,
    largest_batch: int = LARGEST_BATCH,
) -> Iterator[Signal | InputError]:
    """Estimate the pulse waves of several videos by one network, in batches over the videos.

    Parameters
    ----------
    network : Network
        See :func:`emotion_rppg.pulse.inference.load_network`.
    readers : int
        Videos that are read at the same time, each in a thread.
    largest_batch : int
        Most chunks of ten seconds that the network computes at once.

    Yields
    ------
    Signal or InputError
        For each video, in their order: its wave, as `estimate` returns it, or why it has none.
    """
    from emotion_rppg.pulse.estimate import estimate

    shared = replace(network, module=Batches(network.module, largest=largest_batch))

    def read(video: Video | str | Path) -> Signal | InputError:
        try:
            return estimate(video, cast(Any, shared))  # loaded once for all videos
        except InputError as error:
            return error

    with ThreadPoolExecutor(readers) as threads:
        yield from threads.map(read, videos)

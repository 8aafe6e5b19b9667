"""Estimate the pulse wave of a face video, frame by frame, by a classic method or a network.

Imports torch only for a network, and no module of training.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.pulse import DEFAULT_METHOD, METHODS, canonical
from emotion_rppg.pulse.evidence import FrameEvidence
from emotion_rppg.pulse.inference.overlap_add import (
    LONGEST_HOLE_S,
    EvenGrid,
    face_crop,
    standardise,
)
from emotion_rppg.pulse.inference.spatial_refinement import SpatialRefinement
from emotion_rppg.pulse.inference.trained_network import BUNDLED, Network, load_network
from emotion_rppg.recordings import Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.parallel import prefetch
from emotion_rppg.signal_quality import sample_quality
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import (
    CELLS,
    FaceFrame,
    face_cells,
    skin_mean,
    skin_mean_of,
    track_face,
)
from emotion_rppg.video.frames import describe_video

SHORTEST_RUN_S = 1.6  # of an uninterrupted face track; the window of POS

Method = Callable[[np.ndarray, float], np.ndarray]
Preview = Callable[[Callable[[], Signal]], None]
AnyFrame = TypeVar("AnyFrame")


def estimate(
    video: Video | str | Path,
    method: str | Path | Method = DEFAULT_METHOD,
    *,
    device: str = "auto",
    region: str = "face",
    face: int | None = None,
    weights: str | Path | None = None,
    detector: Any = None,
    progress: Callable[[int, int], None] | None = None,
    preview: Preview | None = None,
    cache: Cache | None = None,
) -> Signal:
    """Estimate the pulse wave of the face in a video; more blood is up.

    Parameters
    ----------
    video : Video or path
    method : str, path or function
        A name of ``METHODS``; ``"physnet"``; another name of ``NETWORKS`` with ``weights``; the
        folder of a trained network; or a function ``(rgb (n, 3), rate_hz) -> (n,)`` of the skin's
        mean colour.
    device : {"auto", "cpu", "cuda", "mps", "openvino"}
        Where a network runs; ``"openvino"``: on the CPU by OpenVINO (extra ``fast``).
    region : str
        ``"face"``, ``"full"`` (the whole frame is skin) or ``"x,y,w,h"`` in pixels.
    face : int, optional
        Which face by size in the first detection, 1 the largest. Default: the largest.
    weights : folder, optional
        Folder of the trained network for the name of a network. Default: the bundled one, which
        only ``"physnet"`` has.
    detector : path or function, optional
        See :func:`emotion_rppg.video.face_tracking.track_face`.
    progress : function, optional
        Called with the number of frames read and in all, where the file states it.
    preview : function, optional
        Called once a second of video with a function that returns the wave so far (that of a
        network before spatial refinement).
    cache : Cache, optional
        Stores where the face is, so that another method or a later call detects no face.

    Returns
    -------
    Signal
        ``kind="rppg"``, on an even grid (a network's own rate, else the video's median rate),
        standardised, NaN where no face was detected. ``quality`` is 0–1 for each sample, and 0
        where the frames contradict a pulse (`pulse.evidence`). The wave of a network is refined by
        spatial cells of its crops (`pulse.inference.spatial_refinement`).

    Raises
    ------
    InputError
        Unreadable video, no face in it, unknown method, missing weights.
    """
    (read,) = _readers(
        video,
        [method],
        weights,
        device,
        progress=progress,
        preview=preview,
        region=region,
        face=face,
        detector=detector,
        cache=cache,
    )
    return read()


def estimate_each(
    video: Video | str | Path, methods: Sequence[str | Path | Method], *, device: str = "auto"
) -> list[Callable[[], Signal]]:
    """Estimate the pulse wave by several methods, with one decoding and one face track.

    Returns, for each method, a function that returns its wave as `estimate` does; call it once. An
    error of one method is raised by its function and leaves the others.
    """
    return _readers(video, methods, None, device)


def _readers(
    video: Video | str | Path,
    methods: Sequence[str | Path | Method],
    weights: str | Path | None,
    device: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    preview: Preview | None = None,
    region: str = "face",
    face: int | None = None,
    detector: Any = None,
    cache: Cache | None = None,
) -> list[Callable[[], Signal]]:
    """Read all frames; return a function for each method that returns its wave.

    ``preview`` receives the wave of the first method.
    """
    video = video if isinstance(video, Video) else Video(Path(video))
    if video.colours is not None:
        return [partial(_read_colours, video, method, weights, device) for method in methods]
    # frames are decoded while torch and the networks are loaded, and while these run
    tracked = track_face(video, region=region, face=face, detector=detector, cache=cache)
    frames = prefetch(tracked)
    # time and colour of each frame, shared by the classic methods; in one block of memory, since
    # many small arrays would fragment the memory that frames use
    colours = array("d")
    resolved = [resolve_method(method, weights, device) for method in methods]
    readers = [
        NetworkWave(m) if isinstance(m, Network) else _ByColour(m, colours) for m in resolved
    ]
    networks = [reader for reader in readers if isinstance(reader, NetworkWave)]
    evidence, due_s = FrameEvidence(), math.inf
    for frame in with_progress(frames, video, progress):
        cells = None
        if len(networks) < len(readers):
            cells = None if frame.landmarks is None else face_cells(frame, CELLS)
            mean = skin_mean(frame) if cells is None else skin_mean_of(cells, frame)
            colours.extend((frame.time_s, *mean))
        evidence.add(frame, cells)
        for network in networks:
            network.add(frame)
        due_s = min(due_s, frame.time_s + 1.0)
        if preview is not None and frame.time_s >= due_s:
            due_s = math.inf
            preview(readers[0].so_far)
    return [partial(_wave_of, reader, evidence) for reader in readers]


def _read_colours(
    video: Video, method: str | Path | Method, weights: str | Path | None, device: str
) -> Signal:
    """Estimate the pulse wave of a recording that has mean colours in place of pictures."""
    assert video.colours is not None
    function = resolve_method(method, weights, device)
    if isinstance(function, Network):
        raise InputError(
            f"{video.path} has the mean colour of each frame and no pictures, which "
            f"{Path(str(method)).name} needs: choose one of {', '.join(METHODS)}"
        )
    times, rgb = video.colours()
    end_s = math.inf if video.end_s is None else video.end_s
    inside = (times >= video.start_s - 1e-6) & (times < end_s - 1e-6)
    wave = wave_of_colours(times[inside] - video.start_s, rgb[inside], function)
    return replace(wave, quality=sample_quality(wave))


def _wave_of(reader: _ByColour | NetworkWave, evidence: FrameEvidence) -> Signal:
    return with_quality(reader.wave(), evidence)


def with_quality(wave: Signal, evidence: FrameEvidence) -> Signal:
    """Add the quality of each sample to a wave: 0 where the frames contradict a pulse."""
    quality = sample_quality(wave)
    quality[evidence.contradicts(wave)] = 0.0
    return replace(wave, quality=quality)


def resolve_method(
    method: str | Path | Method, weights: str | Path | None, device: str
) -> Network | Method:
    """Return the function or network that a method's name or folder stands for.

    Raises
    ------
    InputError
        Unknown name; a network without trained weights; an unreadable folder.
    """
    if callable(method):
        return method
    method = canonical(method)
    if str(method) in METHODS:
        return METHODS[str(method)]
    from emotion_rppg.pulse.networks import NETWORKS

    # the name of a network has priority over a folder of that name
    if str(method) not in NETWORKS and Path(method).is_dir():
        return load_network(method, device=device)
    if str(method) not in NETWORKS:
        known = ", ".join(sorted([*METHODS, *NETWORKS]))
        raise InputError(
            f"unknown rPPG method {str(method)!r}; known: {known}, or the folder of a network"
        )
    if weights is None and str(method) not in BUNDLED:
        raise InputError(
            f"{method} has no bundled weights: give the folder of a trained network with "
            f"--weights DIR (weights=… in Python; `emotion-rppg train pulse --network {method}` "
            f"makes one), or choose one of {', '.join([*BUNDLED, *METHODS])}"
        )
    return load_network(weights or BUNDLED[str(method)], device=device)


def with_progress(
    frames: Iterator[AnyFrame], video: Video, progress: Callable[[int, int], None] | None
) -> Iterator[AnyFrame]:
    """Yield the same frames and report progress, unless the container states no frame count."""
    if progress is None:
        yield from frames
        return
    total = None if video.frames is not None else describe_video(video.path).frames
    for n, frame in enumerate(frames, 1):
        if total and n % 30 == 0:
            progress(min(n, total), total)
        yield frame


# ---- classic methods: mean colour of the skin ------------------------------------------------


class _ByColour:
    """Apply a classic method to the colours of all frames so far."""

    def __init__(self, method: Method, colours: array[float]) -> None:
        self.method, self.colours = method, colours

    def wave(self) -> Signal:
        """Compute the wave of the frames so far."""
        rows = np.reshape(self.colours, (-1, 4))
        return wave_of_colours(rows[:, 0], rows[:, 1:], self.method)

    so_far = wave


def read_by_colour(colours: Iterable[tuple[float, np.ndarray]], method: Method) -> Signal:
    """Compute the wave of a classic method from mean colours, each (3,) with its time in s."""
    times, rgb = zip(*colours, strict=True)
    return wave_of_colours(np.array(times), np.array(rgb), method)


def wave_of_colours(times_s: np.ndarray, rgb: np.ndarray, method: Method) -> Signal:
    """Compute the wave of a classic method from times in seconds (n,) and mean colours (n, 3)."""
    rate, grid, even = _on_even_grid(times_s, rgb)
    return Signal(_by_runs(even, rate, method), rate, kind="rppg", start_s=grid[0])


def _on_even_grid(times_s: np.ndarray, rgb: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Resample colours to an even grid at the median rate.

    Returns rate in hertz, times in seconds (n,) and colours (n, 3), NaN where the nearest frame has
    no skin.
    """
    channels = [
        Signal.from_times(times_s, rgb[:, k], longest_gap_s=LONGEST_HOLE_S) for k in range(3)
    ]
    grid, rate = channels[0].times_s, channels[0].rate_hz
    colours = np.column_stack([channel.samples for channel in channels])
    missing = ~np.isfinite(rgb).all(axis=1)
    colours[missing[_nearest(times_s, grid)]] = np.nan
    return rate, grid, colours


def _nearest(times_s: np.ndarray, grid_s: np.ndarray) -> np.ndarray:
    """Find the index of the frame nearest to each time of the grid."""
    after = np.clip(np.searchsorted(times_s, grid_s), 1, len(times_s) - 1)
    closer = grid_s - times_s[after - 1] <= times_s[after] - grid_s
    return after - closer


def _by_runs(colours: np.ndarray, rate_hz: float, method: Method) -> np.ndarray:
    """Apply the method to each uninterrupted stretch of skin and standardise the result."""
    wave = np.full(len(colours), np.nan)
    for first, stop in Signal(colours.sum(axis=1), rate_hz).runs():
        if stop - first < SHORTEST_RUN_S * rate_hz + 1:
            continue
        found = np.asarray(method(colours[first:stop], rate_hz), dtype=float)
        if found.shape != (stop - first,):
            raise InputError(
                f"the method returned shape {found.shape} for {stop - first} colours: want one "
                "value a frame"
            )
        wave[first:stop] = standardise(found)
    return wave


# ---- networks: crops of the face -------------------------------------------------------------


class NetworkWave:
    """Apply a network to a stream of frames; less than two chunks of crops are held in memory."""

    def __init__(self, network: Network) -> None:
        self.network, self.even = network, EvenGrid(network.rate_hz)
        self.refinement = SpatialRefinement(
            network, rate_hz=network.rate_hz, lag_s=network.config["lag_s"]
        )

    def add(self, frame: FaceFrame) -> None:
        """Add the next frame."""
        net = self.network
        face = face_crop(frame, net.size, width=net.crop_width)
        for image in self.even.add(frame.time_s, face):
            self.refinement.add(image)

    def so_far(self) -> Signal:
        """Return the wave of the frames so far, before spatial refinement."""
        return self._timed(self.refinement.so_far())

    def wave(self) -> Signal:
        """Return the refined wave of all frames; call it once, after the last frame."""
        self.refinement.add(self.even.last())
        return self._timed(self.refinement.finish())

    def _timed(self, wave: np.ndarray) -> Signal:
        start_s = self.even.start_s - self.network.config["lag_s"]
        return Signal(wave, self.network.rate_hz, kind="rppg", start_s=start_s)

"""From a video to its pulse wave: classic methods and trained networks, streaming.

Loads torch only for a network, and never what training needs.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.pulse import METHODS, canonical
from emotion_rppg.pulse.evidence import Pictures
from emotion_rppg.pulse.inference.overlap_add import (
    LONGEST_HOLE_S,
    Even,
    picture_of,
    standard,
)
from emotion_rppg.pulse.inference.spatial_refinement import SpatialRefinement
from emotion_rppg.pulse.inference.trained_network import BUNDLED, Network, load_network
from emotion_rppg.recordings import Video
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
from emotion_rppg.video.frames import describe

if TYPE_CHECKING:
    pass

SHORTEST_RUN_S = 1.6  # of uninterrupted face, the window of POS: below it there is no wave

Method = Callable[[np.ndarray, float], np.ndarray]
Preview = Callable[[Callable[[], Signal]], None]


def estimate(
    video: Video | str | Path,
    method: str | Path | Method = "physnet",
    *,
    device: str = "auto",
    region: str = "face",
    face: int | None = None,
    weights: str | Path | None = None,
    detector: Any = None,
    progress: Callable[[int, int], None] | None = None,
    seen: Preview | None = None,
) -> Signal:
    """The pulse wave of the face in a video; more blood is up.

    Parameters
    ----------
    video : Video or path
    method : str, path or function
        A name of ``METHODS``; the folder of a trained network; ``"physnet"`` with ``weights``;
        or a function ``(rgb (n, 3), rate_hz) -> (n,)`` on the skin's mean colour.
    device : {"auto", "cpu", "cuda", "mps", "openvino"}
        Where a network runs; ``"openvino"``: on the CPU, by that library (extra ``fast``).
    region : str
        ``"face"``, ``"full"`` (all skin) or ``"x,y,w,h"`` in pixels.
    face : int, optional
        Which face, 1 the largest at first sight; default: the largest.
    weights : folder, optional
        The trained network behind a network's name; ``"physnet"`` comes with one.
    detector : path or function, optional
        See :func:`emotion_rppg.video.face_tracking.track_face`.
    progress : function, optional
        Called with the frames read and their number, where the file tells it.
    seen : function, optional
        Called once a second of video with a function that gives the wave so far (a network's not
        confirmed yet), for who wants to watch it grow.

    Returns
    -------
    Signal
        ``kind="rppg"``, on an even grid (a network's own rate, else the video's median rate),
        standardised, NaN where no face was seen, ``quality`` 0–1 for each sample: 0 where the
        pictures speak against a pulse (`pulse.evidence`). A network's wave is what the cells of its
        pictures confirm of it (`pulse.inference.spatial_refinement`).

    Raises
    ------
    InputError
        Unreadable video, no face in it, unknown method, missing weights.
    """
    how = {"region": region, "face": face, "detector": detector}
    return _read(video, [method], weights, device, progress=progress, seen=seen, **how)[0]()


def estimate_each(
    video: Video | str | Path, methods: Sequence[str | Path | Method], *, device: str = "auto"
) -> list[Callable[[], Signal]]:
    """What `estimate` gives by each method, the video decoded and its face followed once.

    Of each method a function that gives its wave, to be called once: what fails for one method
    leaves the others.
    """
    return _read(video, methods, None, device)


def _read(
    video: Video | str | Path,
    methods: Sequence[str | Path | Method],
    weights: str | Path | None,
    device: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    seen: Preview | None = None,
    **how: Any,
) -> list[Callable[[], Signal]]:
    """All frames read; what gives the wave of each method. ``seen`` is told of the first."""
    video = video if isinstance(video, Video) else Video(Path(video))
    # decoding goes on while torch and the networks are loaded, and while they read
    looks = prefetch(track_face(video, **how))
    # time and colour of each frame, the same ones for all classic methods; in one block, since
    # between small arrays the memory of the pictures would never be used again
    colours = array("d")
    chosen = [resolve_method(method, weights, device) for method in methods]
    readers = [_ByNetwork(c) if isinstance(c, Network) else _ByColour(c, colours) for c in chosen]
    networks = [reader for reader in readers if isinstance(reader, _ByNetwork)]
    pictures, due_s = Pictures(), math.inf
    for look in looks if progress is None else _watched(looks, video, progress):
        cells = None
        if len(networks) < len(readers):
            cells = None if look.landmarks is None else face_cells(look, CELLS)
            mean = skin_mean(look) if cells is None else skin_mean_of(cells, look)
            colours.extend((look.time_s, *mean))
        pictures.add(look, cells)
        for network in networks:
            network.add(look)
        due_s = min(due_s, look.time_s + 1.0)
        if seen is not None and look.time_s >= due_s:
            due_s = math.inf
            seen(readers[0].so_far)
    return [partial(_with_quality, reader, pictures) for reader in readers]


def _with_quality(reader: _ByColour | _ByNetwork, pictures: Pictures) -> Signal:
    wave = reader.wave()
    quality = sample_quality(wave)
    quality[pictures.against(wave)] = 0.0
    return replace(wave, quality=quality)


def resolve_method(
    method: str | Path | Method, weights: str | Path | None, device: str
) -> Network | Method:
    """What a name stands for."""
    if callable(method):
        return method
    method = canonical(method)
    if str(method) in METHODS:
        return METHODS[str(method)]
    from emotion_rppg.pulse.networks import NETWORKS

    # a name means the same wherever one stands, whatever folders lie there
    if str(method) not in NETWORKS and Path(method).is_dir():
        return load_network(method, device=device)
    if str(method) not in NETWORKS:
        known = ", ".join(sorted([*METHODS, *NETWORKS]))
        raise InputError(
            f"unknown rPPG method {str(method)!r}; known: {known}, or the folder of a network"
        )
    if weights is None and str(method) not in BUNDLED:
        raise InputError(
            f"{method} comes without trained weights: give the folder of a trained network with "
            f"--weights DIR (weights=… in Python; `emotion-rppg train pulse --network {method}` "
            f"makes one), or take one of {', '.join([*BUNDLED, *METHODS])}"
        )
    return load_network(weights or BUNDLED[str(method)], device=device)


def _watched(
    looks: Iterator[FaceFrame], video: Video, progress: Callable[[int, int], None]
) -> Iterator[FaceFrame]:
    """The same frames, counted; silent where the container does not say how many there are."""
    total = None if video.frames is not None else describe(video.path).frames
    for n, look in enumerate(looks, 1):
        if total and n % 30 == 0:
            progress(min(n, total), total)
        yield look


# ---- classic methods: the skin's mean colour ------------------------------------------------


class _ByColour:
    """A method on the colours of all frames so far."""

    def __init__(self, method: Method, colours: array[float]) -> None:
        self.method, self.colours = method, colours

    def wave(self) -> Signal:
        known = np.reshape(self.colours, (-1, 4))
        return _of_colours(known[:, 0], known[:, 1:], self.method)

    so_far = wave


def read_by_colour(colours: Iterable[tuple[float, np.ndarray]], method: Method) -> Signal:
    """The wave of a method on mean colours, each (3,) with its time."""
    times, rgb = zip(*colours, strict=True)
    return _of_colours(np.array(times), np.array(rgb), method)


def _of_colours(times_s: np.ndarray, rgb: np.ndarray, method: Method) -> Signal:
    rate, grid, even = _even(times_s, rgb)
    return Signal(_by_runs(even, rate, method), rate, kind="rppg", start_s=grid[0])


def _even(times_s: np.ndarray, rgb: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Colours on an even grid at the median rate; NaN where the nearest frame saw no skin."""
    channels = [
        Signal.from_times(times_s, rgb[:, k], longest_gap_s=LONGEST_HOLE_S) for k in range(3)
    ]
    grid, rate = channels[0].times_s, channels[0].rate_hz
    colours = np.column_stack([channel.samples for channel in channels])
    unseen = ~np.isfinite(rgb).all(axis=1)
    colours[unseen[_nearest(times_s, grid)]] = np.nan
    return rate, grid, colours


def _nearest(times_s: np.ndarray, grid_s: np.ndarray) -> np.ndarray:
    """Index of the frame nearest to each time of the grid."""
    after = np.clip(np.searchsorted(times_s, grid_s), 1, len(times_s) - 1)
    closer = grid_s - times_s[after - 1] <= times_s[after] - grid_s
    return after - closer


def _by_runs(colours: np.ndarray, rate_hz: float, method: Method) -> np.ndarray:
    """The method on each uninterrupted stretch of skin, each standardised."""
    wave = np.full(len(colours), np.nan)
    seen = Signal(colours.sum(axis=1), rate_hz)
    for first, stop in seen.runs():
        if stop - first < SHORTEST_RUN_S * rate_hz + 1:
            continue
        found = np.asarray(method(colours[first:stop], rate_hz), dtype=float)
        if found.shape != (stop - first,):
            raise InputError(
                f"the method gave shape {found.shape} for {stop - first} colours: want one "
                "value a frame"
            )
        wave[first:stop] = standard(found)
    return wave


# ---- networks: pictures of the face ----------------------------------------------------------


class _ByNetwork:
    """A network's wave over frames as they come, a chunk and a half of whose pictures are held."""

    def __init__(self, network: Network) -> None:
        self.network, self.even = network, Even(network.rate_hz)
        self.added = SpatialRefinement(
            network, rate_hz=network.rate_hz, lag_s=network.config["lag_s"]
        )

    def add(self, look: FaceFrame) -> None:
        for picture in self.even.add(look.time_s, picture_of(look, self.network.size)):
            self.added.add(picture)

    def so_far(self) -> Signal:
        return self._timed(self.added.so_far())

    def wave(self) -> Signal:
        """After the last frame, once."""
        self.added.add(self.even.last())
        return self._timed(self.added.finish())

    def _timed(self, wave: np.ndarray) -> Signal:
        start_s = self.even.start_s - self.network.config["lag_s"]
        return Signal(wave, self.network.rate_hz, kind="rppg", start_s=start_s)

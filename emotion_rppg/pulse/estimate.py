"""From a video to its pulse wave: classic methods and trained networks, streaming.

Loads torch only for a network, and never what training needs.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.checkpoints import load_state, load_tensors, read_config
from emotion_rppg.devices import pick_device
from emotion_rppg.errors import InputError
from emotion_rppg.parallel import ahead
from emotion_rppg.pulse import KIND, METHODS, canonical
from emotion_rppg.pulse.chunks import (
    LONGEST_HOLE_S,
    SHORTEST_FRAMES,
    Even,
    at_rate,
    picture_of,
    standard,
)
from emotion_rppg.pulse.classical import detrend
from emotion_rppg.pulse.evidence import Pictures
from emotion_rppg.pulse.spatial import Confirmed, read_pictures
from emotion_rppg.quality import per_sample
from emotion_rppg.recordings import Video
from emotion_rppg.signals import Signal
from emotion_rppg.video.faces import CELLS, Look, face_cells, follow, skin_mean, skin_mean_of
from emotion_rppg.video.frames import describe

if TYPE_CHECKING:
    import torch

SIZE = 32  # pixels a side of the default network's face picture
BUNDLED = {"physnet": Path(__file__).parent / "weights" / "physnet"}  # trained networks
OPENVINO = "openvino"
SHORTEST_RUN_S = 1.6  # of uninterrupted face, the window of POS: below it there is no wave

Method = Callable[[np.ndarray, float], np.ndarray]
Seen = Callable[[Callable[[], Signal]], None]


@dataclass(frozen=True, eq=False)
class Network:
    """A trained pulse network with what its config.json says, ready on a device."""

    module: Callable[[torch.Tensor], torch.Tensor]
    config: dict[str, Any]
    device: str

    @property
    def rate_hz(self) -> float:
        return float(self.config["rate_hz"])

    @property
    def size(self) -> int:
        return int(self.config["size"])

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        """(frames, size, size, 3), 0–255, at ``rate_hz`` -> wave (frames,), standardised."""
        import torch

        from emotion_rppg.pulse.normalise import NORMALISATIONS

        x = torch.as_tensor(np.ascontiguousarray(clip), dtype=torch.float32)
        with torch.inference_mode():
            x = x.permute(3, 0, 1, 2)[None].to(self.device)
            wave = self.module(NORMALISATIONS[self.config["normalisation"]](x))
        found = wave[0].float().cpu().numpy().astype(float)
        if self.config.get("output") == "derivative":
            found = detrend(np.cumsum(standard(found)), self.rate_hz)
        return standard(found) * self.config["polarity"]


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
    seen: Seen | None = None,
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
        See :func:`emotion_rppg.video.faces.follow`.
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
        pictures confirm of it (`pulse.spatial`).

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
    seen: Seen | None = None,
    **how: Any,
) -> list[Callable[[], Signal]]:
    """All frames read; what gives the wave of each method. ``seen`` is told of the first."""
    video = video if isinstance(video, Video) else Video(Path(video))
    # decoding goes on while torch and the networks are loaded, and while they read
    looks = ahead(follow(video, **how))
    # time and colour of each frame, the same ones for all classic methods; in one block, since
    # between small arrays the memory of the pictures would never be used again
    colours = array("d")
    chosen = [chosen_method(method, weights, device) for method in methods]
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
    quality = per_sample(wave)
    quality[pictures.against(wave)] = 0.0
    return replace(wave, quality=quality)


def chosen_method(
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
    looks: Iterator[Look], video: Video, progress: Callable[[int, int], None]
) -> Iterator[Look]:
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


def load_network(folder: str | Path, *, device: str = "auto") -> Network:
    """A trained network from its folder, made ready to read on the device.

    ``device="openvino"`` runs it on the CPU through OpenVINO (extra ``fast``).
    """
    from emotion_rppg.pulse.networks import NETWORKS
    from emotion_rppg.pulse.normalise import NORMALISATIONS
    from emotion_rppg.pulse.ready import OpenVino, Ready

    config = read_config(folder)
    if config.get("kind") != KIND:
        raise InputError(
            f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, want a pulse network"
        )
    needed = ("network", "options", "rate_hz", "size", "normalisation", "polarity", "lag_s")
    lacking = [key for key in needed if key not in config]
    if lacking:
        raise InputError(f"config.json in {str(folder)!r} lacks {', '.join(lacking)}")
    for key, table in (("network", NETWORKS), ("normalisation", NORMALISATIONS)):
        if config[key] not in table:
            raise InputError(
                f"config.json in {str(folder)!r} names the {key} {config[key]!r}; "
                f"known: {', '.join(table)}"
            )
    try:
        numbers = {k: float(config[k]) for k in ("rate_hz", "size", "polarity", "lag_s")}
        module = NETWORKS[config["network"]](**config["options"])
    except (TypeError, ValueError) as error:
        raise InputError(f"config.json in {str(folder)!r} cannot be used: {error}") from error
    if not (numbers["rate_hz"] > 0 and numbers["size"] >= 1 and abs(numbers["polarity"]) == 1):
        raise InputError(
            f"config.json in {str(folder)!r} has {numbers}: want rate_hz and size above 0, and a "
            "polarity of 1 or -1"
        )
    load_state(module, load_tensors(folder), str(folder))
    if device == OPENVINO:
        return Network(OpenVino(module), config, "cpu")
    where = pick_device(device)
    return Network(Ready(module, where), config, where)


class _ByNetwork:
    """A network's wave over frames as they come, a chunk and a half of whose pictures are held."""

    def __init__(self, network: Network) -> None:
        self.network, self.even = network, Even(network.rate_hz)
        self.added = Confirmed(network, rate_hz=network.rate_hz, lag_s=network.config["lag_s"])

    def add(self, look: Look) -> None:
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


def waveform_from_clip(
    clip: np.ndarray, *, rate_hz: float, network: Network | str | Path | None = None
) -> np.ndarray:
    """The pulse wave of a clip of face pictures, (frames,), standardised, more blood up.

    Parameters
    ----------
    clip : uint8 array (frames, SIZE, SIZE, 3), RGB
        The face and a little around it (a square 1.65 times as wide as the face).
    rate_hz : float
        Frames a second of the clip; it is brought to the network's own rate and back.
    network : Network or folder, optional
        Default: the bundled network.

    Raises
    ------
    InputError
        Another shape or type; too few frames.
    """
    net = network if isinstance(network, Network) else load_network(network or BUNDLED["physnet"])
    clip = np.asarray(clip)
    wanted = (net.size, net.size, 3)
    if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[1:] != wanted:
        raise InputError(
            f"want uint8 (frames, {net.size}, {net.size}, 3), got {clip.dtype} {clip.shape}"
        )
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"rate_hz must be a positive number of hertz, got {rate_hz!r}")
    wave = _wave_of(clip, rate_hz, net) if len(clip) else np.empty(0)
    if not len(wave) or not np.isfinite(wave).all():
        raise InputError(
            f"{len(clip)} frames at {rate_hz:g} Hz are too few to read a pulse: want at least "
            f"{SHORTEST_FRAMES / net.rate_hz:.2g} s, with no more than {LONGEST_HOLE_S} s between "
            "frames"
        )
    return wave


def _wave_of(clip: np.ndarray, rate_hz: float, net: Network) -> np.ndarray:
    """Brought to the network's rate, read, brought back."""
    times = np.arange(len(clip)) / rate_hz
    pictures = at_rate(zip(times, clip, strict=True), net.rate_hz)
    wave = read_pictures(pictures, net, rate_hz=net.rate_hz, lag_s=net.config["lag_s"])
    own = np.arange(len(wave)) / net.rate_hz - net.config["lag_s"]
    return standard(np.interp(times, own, wave))

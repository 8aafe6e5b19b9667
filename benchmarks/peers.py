"""Compare with other packages, each in an environment of its own: ``make bench-peers``.

``python -m benchmarks.peers FOLDER [VIDEO]`` installs each package under FOLDER, as its users do,
and gives all the same files: videos to heart rate (speed, memory), intervals to HRV (values,
speed). Undeclared requirements of a package are installed and listed; a package that cannot be
installed or started is listed with its error. It takes about fifteen minutes and 3 GB of disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed import PEAK_MB, repeated, write_clip

LIMIT_S = 900.0  # for one installation or one reading
LONG = 5  # minutes
WINDOWS, WINDOW_BEATS = 20, 75


class Peer(NamedTuple):
    """A package to compare with; ``begin`` is the code of a user that defines ``read``."""

    name: str
    package: str  # with its version; "" for the present environment
    undeclared: tuple[str, ...]  # requirements that it does not declare
    begin: str
    system: str = ""  # requirements that pip cannot install


VIDEOS = (
    *(
        Peer(
            f"emotion_rppg, {method}",
            "",
            (),
            f"""
            from emotion_rppg import estimate
            from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
            def read(path):
                return estimate_heart_rate(estimate(path, "{method}")).hr_bpm
            """,
        )
        for method in ("pos", "physnet")
    ),
    Peer(
        "vitallens, its local POS",
        "vitallens==0.6.2",
        ("scipy", "psutil"),
        """
        from vitallens import VitalLens
        reader = VitalLens(method="pos", export_to_json=False)
        def read(path):
            return reader(path)[0]["vitals"]["heart_rate"]["value"]
        """,
        "ffmpeg and ffprobe of the system",
    ),
    Peer(
        "open-rppg, its default network",
        "open-rppg==0.1.1",
        (),
        """
        import rppg
        reader = rppg.Model()
        def read(path):
            return reader.process_video(path)["hr"]
        """,
    ),
    Peer("pyVHR-cpu", "pyvhr-cpu==1.0.2", (), "import pyVHR"),
    Peer("pyVHR", "pyvhr==2.0", (), "import pyVHR"),
)
HRV = (
    Peer(
        "emotion_rppg",
        "",
        (),
        """
        import numpy as np
        from emotion_rppg.features import hrv
        from emotion_rppg.signals import Beats
        NAMES = "rmssd_ms sdnn_ms pnn50_pct sd1_ms sd2_ms lf_ms2 hf_ms2".split()
        def read(series):
            beats = [Beats(np.r_[0.0, np.cumsum(nn)] / 1000, kind="ecg") for nn in series]
            table = hrv.table(beats)
            return [[row[n] for n in NAMES] for _, row in table.iterrows()], table.shape[1]
        """,
    ),
    Peer(
        "NeuroKit2, nk.hrv",
        "neurokit2==0.2.13",
        (),
        """
        import neurokit2 as nk
        NAMES = ["HRV_" + n for n in "RMSSD SDNN pNN50 SD1 SD2 LF HF".split()]
        def read(series):
            tables = [nk.hrv(nk.intervals_to_peaks(nn), sampling_rate=1000) for nn in series]
            return [[float(t[n].iloc[0]) for n in NAMES] for t in tables], tables[0].shape[1]
        """,
    ),
    Peer(
        "HeartPy, process_rr",
        "heartpy==1.2.7",
        ("numpy<2",),
        """
        import heartpy
        NAMES = "rmssd sdnn pnn50 sd1 sd2 lf hf".split()
        def read(series):
            found = [heartpy.process_rr(nn, calc_freq=True)[1] for nn in series]
            return [[float(f[n]) for n in NAMES] for f in found], len(found[0])
        """,
    ),
    Peer(
        "pyHRV, hrv",
        "pyhrv==0.5.0",
        ("peakutils", "nolds==0.5.2"),
        """
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
        from pyhrv.hrv import hrv
        def read(series):
            rows = []
            for nn in series:
                found = hrv(nni=nn, plot_tachogram=False, show=False).as_dict()
                plt.close("all")
                values = [found[n] for n in "rmssd sdnn pnn50 sd1 sd2".split()]
                rows.append([*map(float, values), *map(float, found["fft_abs"][1:3])])
            return rows, sum(map(numbers, found.values()))
        def numbers(value):
            if isinstance(value, tuple):
                return sum(map(numbers, value))
            return isinstance(value, (int, float))
        """,
    ),
)
VALUES = ("RMSSD ms", "SDNN ms", "pNN50", "SD1 ms", "SD2 ms", "LF", "HF")
_FRAME = """
import io, json, sys, time, warnings
warnings.simplefilter("ignore")
out, sys.stdout = sys.stdout, io.StringIO()
{peak}
{begin}
{work}
print(json.dumps(result, default=float), file=out)
"""
_READ_VIDEO = """
result = {"value": read(sys.argv[1]), "until": time.time(), "peak_mb": peak_mb()}
begun = time.perf_counter()
if len(sys.argv) > 2:
    read(sys.argv[1])
result["again_s"] = time.perf_counter() - begun
"""
_READ_HRV = """
import numpy as np
series = [np.asarray(nn) for nn in json.load(open(sys.argv[1]))]
values, columns = read(series[:1])
taken = []
for _ in range(3):
    begun = time.perf_counter()
    read(series[1:])
    taken.append(time.perf_counter() - begun)
result = {"values": values[0], "columns": columns, "s": min(taken)}
"""


class Failed(Exception):
    """A package could not be installed or run; the message is the last line of its error."""


def python_of(peer: Peer, folder: Path) -> Path:
    """Return the Python interpreter with the package; it is installed once."""
    if not peer.package:
        return Path(sys.executable)
    home = folder / peer.package.replace("==", "-")
    python, ready = home / "bin" / "python", home / ".ready"
    requirements = " ".join((peer.package, *peer.undeclared))
    if not (ready.is_file() and ready.read_text() == requirements):
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        output_of([sys.executable, "-m", "venv", "--clear", home])
        output_of([*pip, peer.package])
        if peer.undeclared:
            output_of([*pip, *peer.undeclared])
        ready.write_text(requirements)
    return python


def output_of(command: Sequence[str | Path]) -> str:
    """Run a command in an empty folder without our environment; return what it prints."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    if command[0] == Path(sys.executable):  # ours: this checkout is on its path
        environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
    with tempfile.TemporaryDirectory() as elsewhere:
        try:
            done = subprocess.run(
                [str(word) for word in command],
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                cwd=elsewhere,
                env=environment,
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"not finished after {LIMIT_S:.0f} s") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        last = lines[-1] if lines else f"ended with {done.returncode}"
        for word in map(str, command):  # names of files without their folders
            last = last.replace(word, Path(word).name) if os.path.isabs(word) else last
        raise Failed(last)
    return done.stdout


def run(python: Path, peer: Peer, work: str, *arguments: object) -> dict[str, Any]:
    """Run a program with the package and return its results."""
    begin = textwrap.dedent(peer.begin)
    program = _FRAME.format(peak=PEAK_MB, begin=begin, work=work)
    result: dict[str, Any] = json.loads(output_of([python, "-c", program, *map(str, arguments)]))
    return result


def video_row(peer: Peer, folder: Path, clips: Mapping[str, Path]) -> list[str]:
    """Measure rates, seconds from process start, speed of a minute, and peak MB of 1 and 5 min."""
    python = python_of(peer, folder)
    cold = []
    for _ in range(2):
        begun = time.time()
        short = run(python, peer, _READ_VIDEO, clips["short"])
        cold.append(short["until"] - begun)
    minute = run(python, peer, _READ_VIDEO, clips["minute"], "again")
    long = run(python, peer, _READ_VIDEO, clips["long"])
    rates = [result["value"] for result in (short, minute)]
    return [
        *("withheld" if rate is None else f"{rate:.1f}" for rate in rates),
        f"{min(cold):.1f}",
        f"{60 / minute['again_s']:.1f}×",
        f"{minute['peak_mb']:.0f}",
        f"{long['peak_mb']:.0f}",
    ]


def intervals() -> list[list[int]]:
    """Draw a series of five minutes and several of a minute, whole ms; breathing at 0.25 Hz."""
    rng = np.random.default_rng(20)
    series = []
    for beats in (375, *[WINDOW_BEATS] * WINDOWS):
        at_s = 0.8 * np.arange(beats)
        slow = 25 * np.sin(2 * np.pi * 0.1 * at_s) + 30 * np.sin(2 * np.pi * 0.25 * at_s)
        series.append(np.round(800 + slow + rng.normal(0, 10, beats)).astype(int).tolist())
    return series


def hrv_rows(folder: Path, series: Path) -> dict[str, list[str]]:
    """Measure the values of five minutes, their number, and the time of a window."""
    rows: dict[str, list[str]] = {}
    ours = 0.0
    for peer in HRV:
        try:
            result = run(python_of(peer, folder), peer, _READ_HRV, series)
        except Failed as error:
            rows[peer.name] = [f"{error}"]
            continue
        ours = ours or result["s"]
        speed = [f"{1000 * result['s'] / WINDOWS:.2f}", f"{result['s'] / ours:.1f}"]
        rows[peer.name] = [*(f"{v:.4g}" for v in result["values"]), str(result["columns"]), *speed]
    return rows


def print_rows(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    """Print a Markdown table with a title."""
    print(f"\n## {title}\n\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join([*cells, *[''] * (len(columns) - len(cells))])} |")


def undeclared() -> dict[str, list[str]]:
    """List the requirements of each package that were installed by hand."""
    peers = {peer.package: peer for peer in (*VIDEOS, *HRV) if peer.package}
    added = {name: [*peer.undeclared, *filter(None, [peer.system])] for name, peer in peers.items()}
    return {name: [", ".join(names) or "–"] for name, names in added.items()}


def main(arguments: Sequence[str]) -> None:
    """Install, measure and print all packages."""
    if not arguments:
        raise SystemExit("usage: python -m benchmarks.peers FOLDER [VIDEO]")
    folder = Path(arguments[0]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        clips = {"minute": write_clip(Path(name) / "minute.mp4", 60)}
        drawn = write_clip(Path(name) / "short.mp4", 10)
        clips["short"] = Path(arguments[1]).resolve() if len(arguments) > 1 else drawn
        clips["long"] = repeated(clips["minute"], LONG)
        rows: dict[str, list[str]] = {}
        for peer in VIDEOS:
            print(peer.name, file=sys.stderr)
            try:
                rows[peer.name] = video_row(peer, folder, clips)
            except Failed as error:
                rows[peer.name] = [f"{error}"]
        short = clips["short"].name
        columns = [f"{short}, bpm", "the minute, bpm", f"{short}, from process start, s"]
        columns += ["the minute, second reading, × real time"]
        columns += ["peak MB, 1 min", f"peak MB, {LONG} min"]
        print_rows("Video to heart rate", columns, rows)
        series = Path(name) / "intervals.json"
        series.write_text(json.dumps(intervals()))
        print_rows(
            "Intervals to HRV",
            [*VALUES, "values per window", "ms per window", "× our time"],
            hrv_rows(folder, series),
        )
    print_rows("Packages that were added by hand", ["added"], undeclared())


if __name__ == "__main__":
    main(sys.argv[1:])

"""Read text logs of recorders whose first lines describe the columns: the table LOGS.

OpenSignals (BITalino, PLUX) and BioSPPy write the rate and the columns in comments; the app Polar
Sensor Logger, the Shimmer's software and Samsung watches write times; beside the tables of a Faros
is a ``meta.json`` with the rates. A rate that a file does not state is never assumed. Times are
those of the log's own clock.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.formats.channel_names import kind_by_name
from emotion_rppg.formats.channels import Channel, Contents, make_channel
from emotion_rppg.formats.safe_io import MB, load_json
from emotion_rppg.formats.signal_csv import read_column
from emotion_rppg.formats.text_files import NoSignal, is_workbook, open_text
from emotion_rppg.formats.time_columns import DATE, clock_of, insert_lost_rows
from emotion_rppg.runtime.json_text import parse_json
from emotion_rppg.signals import Signal

_HEAD_LINES, _MAX_LINE = 8, 100_000
_COUNTS = "counts"  # unit of values of an analogue-to-digital converter
_MAX_JSON_BYTES = 1 * MB


@dataclass(frozen=True)
class Log:
    """Layout of a log: its columns, the lines before its rows, and its clock.

    ``clock`` is the name of the time column, which is one of `signal_csv.CLOCKS`; without one the
    rows are evenly spaced at ``rate_hz``. ``counter`` is a column that counts rows modulo a number,
    which shows lost rows. ``inverted`` channels are intensities of light, of which blood takes up a
    part: their sign is changed, so that more blood is up.
    """

    format: str
    columns: tuple[str, ...]
    delimiter: str
    skip: int
    channels: tuple[Channel, ...]
    clock: str | None = None
    rate_hz: float | None = None
    counter: tuple[str, int] | None = None
    inverted: frozenset[str] = field(default=frozenset())


def find_log(path: Path) -> Log | None:
    """Return the layout of a log by its first lines, or None for any other file.

    Raises
    ------
    InputError
        A log of a known format whose header is damaged or has no rate, or one without a wave.
    """
    if is_workbook(path):
        return None
    with open_text(path) as file:
        lines = [file.readline(_MAX_LINE).rstrip("\r\n") for _ in range(_HEAD_LINES)]
    for describe in LOGS.values():
        log = describe(path, lines)
        if log is not None:
            return log
    return None


def log_contents(path: Path) -> Contents:
    """List the channels of a log; a log with times is read once to measure its rate."""
    log = find_log(path)
    if log is None:
        raise InputError(f"{path} is not a log of a known recorder")
    if log.clock is None:
        return Contents(log.format, log.channels, partial(_read, path, log))
    first = next(iter(log.channels), None)
    if first is None:
        raise NoSignal(f"{path} is a log of {log.format} without a channel")
    measured = _read(path, log, first.name)
    channels = [
        replace(channel, rate_hz=measured.rate_hz, duration_s=measured.duration_s)
        for channel in log.channels
    ]
    return Contents(log.format, tuple(channels), partial(_read, path, log))


def _read(path: Path, log: Log, name: str) -> Signal:
    """Read one channel on the log's clock; lost rows are missing samples."""
    stat = path.stat()
    return _read_unchanged(path, stat.st_mtime_ns, stat.st_size, log, name)


@lru_cache(maxsize=4)
def _read_unchanged(path: Path, changed_ns: int, size: int, log: Log, name: str) -> Signal:
    """Read one channel; time and size are arguments so that a changed file is read again."""
    read = partial(
        read_column,
        path,
        header=log.columns,
        delimiter=log.delimiter,
        skip=log.skip,
        rate_hz=log.rate_hz,
    )
    signal = read(name)
    if log.counter is not None:
        column, modulus = log.counter
        counter = read(column)
        samples = insert_lost_rows(signal.samples, counter.samples, modulus, str(path))
        signal = replace(signal, samples=samples)
    sign = -1.0 if name in log.inverted else 1.0
    return replace(signal, samples=sign * signal.samples)


def _open_signals(path: Path, lines: list[str]) -> Log | None:
    """Describe a log of OpenSignals: the second line is JSON, one object for each device."""
    if not lines[0].startswith("# OpenSignals Text File Format"):
        return None
    skip = 1 + next((k for k, line in enumerate(lines) if "EndOfHeader" in line), len(lines))
    try:
        devices = parse_json(lines[1].lstrip("# "))
        columns: list[str] = []
        channels: list[Channel] = []
        counter = None
        rates = {float(device["sampling rate"]) for device in devices.values()}
        for device in devices.values():
            prefix = f"{len(columns)} " if len(devices) > 1 else ""
            names = [prefix + str(name) for name in device["column"]]
            sensors = _sensors(device)
            if device["column"][:1] == ["nSeq"] and len(devices) == 1:
                counter = (names[0], 2 ** _bits((device.get("resolution") or [0])[0]))
            for name, plain in zip(names, device["column"], strict=True):
                kind = kind_by_name(sensors.get(plain, plain))
                if plain != "nSeq":
                    channels.append(make_channel(name, min(rates), unit=_COUNTS, kind=kind))
            columns += names
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        raise InputError(
            f"{path}: the header of OpenSignals is damaged ({error!r:.80}): copy the file again"
        ) from error
    if len(rates) != 1 or not _is_rate(min(rates)) or len(lines) < skip:
        raise InputError(f"{path}: want one sampling rate in the header, got {sorted(rates)}")
    if counter is not None and not 2 <= counter[1] <= 2**32:
        counter = None
    return Log(
        "OpenSignals",
        tuple(columns),
        "\t",
        skip,
        tuple(channels),
        rate_hz=min(rates),
        counter=counter,
    )


def _bits(value: Any) -> int:
    """Read the resolution of a counter; 2 to the power of a damaged one would have no end."""
    if not 0 <= int(value) <= 64:
        raise ValueError(f"a resolution of {value} bits")
    return int(value)


def _sensors(device: dict[str, Any]) -> dict[str, str]:
    """Map the label of each analogue column to its sensor."""
    return {
        str(label): str(sensor)
        for label, sensor in zip(device.get("label", []), device.get("sensor", []), strict=False)
    }


def _bio_sppy(path: Path, lines: list[str]) -> Log | None:
    """Describe a table of BioSPPy: comments with rate, labels and perhaps units."""
    if not lines[0].startswith("# Simple Text Format"):
        return None
    comments = [line for line in lines if line.startswith("#")]
    fields = dict(
        re.split(r":=\s*", line[1:].strip(), maxsplit=1) for line in comments if ":=" in line
    )
    labels = fields.get("Labels", "").split("\t")
    units = fields.get("Units", "").split("\t")
    try:
        rate_hz = float(fields.get("Sampling Rate (Hz)", "nan"))
    except ValueError:
        rate_hz = math.nan
    if not _is_rate(rate_hz) or not labels[0]:
        raise InputError(
            f"{path}: the header of BioSPPy has no sampling rate or no labels: add the lines "
            "'# Sampling Rate (Hz):= HZ' and '# Labels:= NAME'"
        )
    if labels[0].strip().upper() in ("RRI", "RR", "NNI", "IBI"):
        raise NoSignal(f"{path} has intervals between beats ({labels[0]}), no wave")
    units = units if len(units) == len(labels) else [""] * len(labels)
    unit_of_counts = _COUNTS if float(fields.get("Resolution") or 0) > 0 else ""
    channels = [
        make_channel(
            name.strip(), rate_hz, unit=unit.strip() or unit_of_counts, kind=kind_by_name(name)
        )
        for name, unit in zip(labels, units, strict=True)
    ]
    names = tuple(name.strip() for name in labels)
    return Log("BioSPPy", names, "\t", len(comments), tuple(channels), rate_hz=rate_hz)


# first words of a column of Polar Sensor Logger -> kind
_POLAR_KINDS = {"channel": "bvp", "ppg": "bvp", "ecg": "ecg", "x": "acc", "y": "acc", "z": "acc"}


def _polar(path: Path, lines: list[str]) -> Log | None:
    """Describe a log of the app Polar Sensor Logger: names with units, and the sensor's clock."""
    columns = [name.strip() for name in lines[0].split(";") if name.strip()]
    if columns[:1] != ["Phone timestamp"]:
        return None
    if "sensor timestamp [ns]" not in columns:
        raise NoSignal(
            f"{path} is a log of Polar Sensor Logger without a wave ({', '.join(columns[1:4])}): "
            "want that of PPG, ECG or ACC"
        )
    channels = []
    for name in columns:
        unit = (re.findall(r"\[(.*?)\]", name) or [""])[0]
        kind = _POLAR_KINDS.get(re.split(r"[\s\[]", name.lower())[0])
        if "timestamp" not in name:
            channels.append(make_channel(name, None, unit=unit, kind=kind))
    light = frozenset(c.name for c in channels if c.kind == "bvp")
    header = ["time_ns" if name == "sensor timestamp [ns]" else name for name in columns]
    return Log(
        "Polar Sensor Logger", tuple(header), ";", 1, tuple(channels), "time_ns", inverted=light
    )


def _shimmer(path: Path, lines: list[str]) -> Log | None:
    """Describe a log of a Shimmer: a line with the delimiter, names, then units."""
    delimiter = re.fullmatch(r'"?sep=(.)"?', lines[0].strip())
    if delimiter is None or "shimmer" not in lines[1].lower():
        return None
    mark = delimiter.group(1)
    names = [re.sub(r"^Shimmer_[^_]*_", "", n.strip(' "')) for n in lines[1].split(mark)]
    units = [unit.strip(' "') for unit in lines[2].split(mark)]
    clocks = [
        name for name in ("Timestamp_Unix_CAL", "Timestamp_FormattedUnix_CAL") if name in names
    ]
    if not clocks or len(units) < len(names):
        raise InputError(
            f"{path} is a log of a Shimmer without the column Timestamp_Unix_CAL (ms) or a line of "
            "units: export it with both"
        )
    clock = "time_ms" if clocks[0] == "Timestamp_Unix_CAL" else DATE
    channels = []
    for name, unit in zip(names, units, strict=False):
        if name and "Timestamp" not in name and not name.endswith("_RAW"):
            plain = name.removesuffix("_CAL")
            channels.append(replace(make_channel(plain, None, unit=unit), name=name))
    header = [clock if name == clocks[0] else name or "empty" for name in names]
    return Log("Shimmer", tuple(header), mark, 3, tuple(channels), clock)


def _samsung(path: Path, lines: list[str]) -> Log | None:
    """Describe a table of a Samsung watch: the light of its green diode and Unix times."""
    header = [name.strip() for name in lines[0].split(",")]
    if "PPG GREEN" not in header:
        return None
    first_row = [cell.strip() for cell in lines[1].split(",")]
    clocks = [clock_of(name, cell) for name, cell in zip(header, first_row, strict=False)]
    clock = next((clock for clock in clocks if clock), None)
    if clock is None:
        return None
    names = [found or name for name, found in zip(header, clocks, strict=False)]
    channels = tuple(make_channel(name, None) for name in names if name != clock)
    light = frozenset(c.name for c in channels if c.kind == "bvp")
    return Log("Samsung watch", tuple(names), ",", 1, channels, clock, inverted=light)


def _faros(path: Path, lines: list[str]) -> Log | None:
    """Describe a table of a Faros: ``meta.json`` beside it has the rate of each file."""
    meta_path = path.with_name("meta.json")
    if not meta_path.is_file() or not re.fullmatch(r"[\w,]+", lines[0]):
        return None
    meta = load_json(meta_path, limit_bytes=_MAX_JSON_BYTES)
    rates = meta.get("sample_freqs") if isinstance(meta, dict) else None
    sensor = path.name.split(".")[0]
    if not isinstance(rates, dict) or sensor not in rates:
        return None
    rate_hz, units = rates[sensor], meta.get("units")
    if not isinstance(rate_hz, int | float) or not _is_rate(rate_hz):
        raise InputError(f"{meta_path}: want the rate of {sensor} in Hz, got {rate_hz!r}")
    unit = str(units.get(sensor, "")) if isinstance(units, dict) else ""
    names = tuple(lines[0].split(","))
    channels = tuple(
        make_channel(name, float(rate_hz), unit=unit, kind=kind_by_name(sensor)) for name in names
    )
    return Log("Faros", names, ",", 1, channels, rate_hz=float(rate_hz))


def _everion(path: Path, lines: list[str]) -> Log | None:
    """Refuse a table of an Everion, which has values of the device and no wave."""
    if lines[0].strip() != "count,streamType,tag,time,values":
        return None
    raise NoSignal(
        f"{path} is a table of an Everion: values that the device derived, such as one heart rate "
        "a second, and no pulse wave"
    )


def _is_rate(rate_hz: float) -> bool:
    return math.isfinite(rate_hz) and 0 < rate_hz <= 1e6


# format -> function that returns the layout of a file by its first lines, or None
LOGS: dict[str, Callable[[Path, list[str]], Log | None]] = {
    "OpenSignals": _open_signals,
    "BioSPPy": _bio_sppy,
    "Polar Sensor Logger": _polar,
    "Shimmer": _shimmer,
    "Samsung watch": _samsung,
    "Everion": _everion,
    "Faros": _faros,
}

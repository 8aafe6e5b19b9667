"""Files of intervals: format → text → intervals, gaps, ectopic beats; what is refused, and why."""

import gzip
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.interval_clock import lost_before, resolution_ms
from emotion_rppg.formats.rr_intervals import ANNOTATIONS, ENDINGS, RR, read_intervals
from emotion_rppg.formats.signal_files import signals_in
from emotion_rppg.formats.text_files import NoSignal
from emotion_rppg.signals import Beats

IBI = [812, 790, 845, 901, 833, 780, 765, 799, 850, 822]  # ms
ENDS = np.cumsum(IBI) / 1e3
LATER = np.where(np.arange(10) < 5, ENDS, ENDS + 20)  # a belt was off for 20 s after five beats
OFF = [(4.181, 24.181)]  # the gap that this makes


@dataclass(frozen=True)
class Case:
    """A file, and what it has: intervals (ms), gaps (s) and the numbers of ectopic beats."""

    name: str
    text: str | bytes
    ibi: Sequence[float] = tuple(IBI)
    gaps: Sequence[tuple[float, float]] = ()
    ectopic: Sequence[int] | None = None
    start_s: float = 0.0
    named: bool = True  # recognised without --source rr
    within_s: float = 1e-6
    column: str | None = None

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.text if isinstance(self.text, bytes) else self.text.encode())
        return path


def lines(*columns: Sequence[object], sep: str = ",", header: str = "") -> str:
    rows = [sep.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([*([header] if header else []), *rows]) + "\n"


def comma(values: Sequence[float], digits: int) -> list[str]:
    return [f"{value:.{digits}f}".replace(".", ",") for value in values]


def clock(times_s: Sequence[float], form: str = "%Y-%m-%dT%H:%M:%S.%f") -> list[str]:
    """Format times as dates, from ten seconds before midnight."""
    start = np.datetime64("2024-04-25T23:59:50").astype("datetime64[ms]")
    stamps = [start + np.timedelta64(round(1e3 * t), "ms") for t in times_s]
    return [stamp.item().strftime(form) for stamp in stamps]


def hrm(code: int, notes: str = "") -> bytes:
    head = f"[Params]\r\nVersion=106\r\nInterval={code}\r\nWeight=76\r\n\r\n[Note]\r\n{notes}\r\n"
    body = "\r\n".join(map(str, IBI))
    return f"{head}[IntTimes]\r\n00:06:05.6\t83\r\n\r\n[HRData]\r\n{body}\r\n".encode("latin-1")


PPI = "Phone timestamp;PP-interval [ms];error estimate [ms];blocker;contact;contact;hr [bpm]"
GARMIN = lines(
    [f"{stamp[:-3]}+02:00" for stamp in clock(LATER)],
    ["HEART_RATE_VARIABILITY"] * 10,
    [f"{value}.0" for value in IBI],
    sep=";",
).replace("\n", "\n2024-04-26T00:00:01.100+02:00;STRESS;-2.0\n", 3)
KUBIOS = (
    'Kubios HRV Standard, ver 3.5\nFile name:,"belt, first.txt"\nRESULTS FOR SINGLE SAMPLES\n'
    "Mean RR (ms):,819.7,\nRMSSD (ms):,44.1,\n\nRR INTERVAL DATA and SPECTRUM ESTIMATES\n"
    "Time,RR interval,Frequency,PSD\n(s),(s),(Hz),(s^2/Hz)\n"
    + lines([f"{t:.3f}" for t in ENDS], [v / 1e3 for v in IBI], [0.01] * 10, [3e-3] * 10)
    + "\nHR zones\n"
)
HRV_LOGGER = lines(
    clock(LATER, "%Y-%m-%d %H:%M:%S"),
    [f"{stamp} +0000" for stamp in clock(LATER, "%Y-%m-%d %H:%M:%S")],
    IBI,
    [round(1e3 * t) for t in LATER],
    sep=";",
    header="date;timestamp;rr;since start",
)
BEATS = np.round(10 + np.r_[0, ENDS], 3)
E4 = lines([f"{3 + t:.6f}" for t in LATER], [v / 1e3 for v in IBI], header="1560279825.000000, IBI")
FLAGS = lines(
    clock(ENDS - np.array(IBI) / 1e3),
    IBI,
    [8, 9, 500, 7, 8, 9, 8, 7, 9, 8],  # the third has a large error,
    [0, 0, 0, 0, 0, 1, 0, 0, 0, 0],  # the sixth was measured in movement,
    [1, 1, 1, 1, 1, 1, 1, 0, 0, 1],  # the eighth and ninth without skin contact
    [1] * 10,
    [72] * 10,
    sep=";",
    header=PPI,
)
FLAGGED = [(ENDS[1], ENDS[2]), (ENDS[4], ENDS[5]), (ENDS[6], ENDS[8])]

CASES: dict[str, Case] = {
    "one a line, named by the file": Case("belt_rr.txt", lines(IBI)),
    "Windows lines, zero at the end": Case(
        "rr.txt", lines([*IBI, 0], sep="").replace("\n", "\r\n"), gaps=[(8.197, 9.014)]
    ),
    "in one line": Case("S1/RR.txt", " ".join(map(str, IBI))),
    "wrapped lines": Case(
        "nn.txt", lines(IBI[:5], IBI[5:], sep=" "), ibi=np.ravel(np.reshape(IBI, (2, 5)).T)
    ),
    "a belt's list": Case("belt.txt", lines([*IBI, *IBI[::-1]]), ibi=[*IBI, *IBI[::-1]]),
    "ending .ibi": Case("s01.ibi", lines(IBI)),
    "compressed": Case("s01_rr.txt.gz", gzip.compress(lines(IBI).encode())),
    "folder IBI": Case("IBI/0_77.csv", lines([v / 1e3 for v in IBI])),
    "UTF-16": Case("rr.csv", lines(IBI, header="RR").encode("utf-16")),
    "seconds, decimal comma": Case("rr.txt", lines(comma(np.array(IBI) / 1e3, 3))),
    "a name that says nothing": Case("2024-04-25 07-00-12.txt", lines(IBI), named=False),
    "a header that says nothing": Case("export.csv", lines(IBI, header="value"), named=False),
    "header with unit": Case("belt.csv", lines(range(10), IBI, header="number,rr_ms")),
    "unit in brackets": Case("a.csv", lines([v / 1e3 for v in IBI], header="NN-Intervals [s]")),
    "semicolons, decimal commas": Case(
        "a.csv",
        lines(comma(ENDS, 2), comma(np.array(IBI) + 0.5, 1), sep=";", header="Zeit;RRI"),
        ibi=np.array(IBI) + 0.5,
        start_s=0.0,
        within_s=0.02,
    ),
    "time in seconds, drop-out": Case(
        "a.csv",
        lines([f"{t:.3f}" for t in 5 + LATER], IBI, header="time_s,ibi"),
        gaps=[(9.181, 29.181)],
        start_s=5.0,
        within_s=1e-3,
    ),
    "time in milliseconds, no header": Case(
        "rr.csv", lines([round(1e3 * t) for t in LATER], IBI), gaps=OFF, within_s=1e-3
    ),
    "dates in whole seconds, drop-out": Case(
        "a.csv",
        lines(
            clock(np.tile(ENDS, 3) + np.repeat([0, 8.197, 36.394], 10), "%d/%m/%Y %H:%M:%S"),
            IBI * 3,
            header="time,rri",
        ),
        ibi=IBI * 3,
        gaps=[(16.394, 36.394)],
        within_s=1.5,
    ),
    "a row number is no clock": Case("a.csv", lines(IBI, range(1, 11), sep=";", header="rri;time")),
    "text above the numbers": Case(
        "simple.txt", "# Simple Text Format\n# Units:= ms\n# Labels:= RRI\n" + lines(IBI)
    ),
    "Polar .hrm": Case("run.hrm", hrm(238, "Größe: 1,80")),
    "Polar Sensor Logger, belt, drop-out over midnight": Case(
        "Polar_H10_RR.txt",
        lines(
            clock(LATER),
            IBI,
            sep=";",
            header="Phone timestamp;RR-interval [ms]",
        ),
        gaps=OFF,
        within_s=2e-3,
    ),
    "Polar Sensor Logger, optical, flags": Case(
        "Polar_Sense_PPI.txt", FLAGS, ibi=[812, 790, 901, 833, 765, 822], gaps=FLAGGED
    ),
    "times of day over midnight, drop-out": Case(
        "a.csv",
        lines(clock(LATER, "%H:%M:%S.%f"), IBI, header="Time,RR"),
        gaps=OFF,
        within_s=2e-3,
    ),
    "Kubios report": Case("belt_hrv.txt", KUBIOS, within_s=1e-3),
    "HRV Logger": Case("2024-04-25_RR.csv", HRV_LOGGER, gaps=OFF, within_s=2e-3),
    "Garmin": Case("data.csv", GARMIN, gaps=OFF, within_s=2e-3),
    "Empatica IBI.csv": Case("IBI.csv", E4, gaps=[(7.181, 27.181)], start_s=3.0, within_s=1e-5),
    "Holter list": Case(
        "holter.txt",
        "00000000\n4.000  X\n" + lines(BEATS, "NNVNNNSNNNN", sep="   "),
        ectopic=[2, 6],
        start_s=10.0,
    ),
    "Holter list with a lost stretch": Case(
        "holter.txt",
        lines([*BEATS[:5], 13.6, *BEATS[5:]], "NNNNNXNNNNNN", sep="\t"),
        ibi=[*IBI[:4], *IBI[5:]],
        gaps=[(BEATS[4], BEATS[5])],
        ectopic=[],
        start_s=10.0,
    ),
    "times and labels in a table": Case(
        "beats.csv", lines(BEATS, "NNVNNNANNNN", header="time_s,type"), ectopic=[2, 6], start_s=10.0
    ),
    "intervals and labels": Case("beats.txt", lines(IBI, "NVNNNNNNNN", sep=" "), ectopic=[2]),
    "intervals and labels in a table": Case(
        "a.csv", lines(IBI, "NVNNANNNNN", header="rr_ms,label"), ectopic=[2, 5]
    ),
    "impossible values": Case(
        "rr.txt",
        lines([*IBI[:3], 8000, *IBI[3:5], "n/a", *IBI[5:], 120, 810]),
        ibi=[*IBI, 810],
        gaps=[(2.447, 10.447), (12.181, 12.993), (17.009, 17.129)],
    ),
    "another column, by name": Case(
        "two.csv", lines(range(10), IBI, header="x,device b"), named=False, column="Device B"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_intervals_gaps_and_labels_are_those_of_the_file(case, tmp_path) -> None:
    beats = read_intervals(case.write(tmp_path), column=case.column)
    np.testing.assert_allclose(
        beats.intervals_ms, case.ibi, atol=1e-6 + 1e3 * min(case.within_s, 1e-4)
    )
    assert beats.kind == RR
    assert beats.times_s[0] == pytest.approx(case.start_s, abs=max(case.within_s, 1e-6))
    assert len(beats.gaps) == len(case.gaps)
    np.testing.assert_allclose(
        np.reshape(beats.gaps, (-1, 2)), np.reshape(case.gaps, (-1, 2)), atol=case.within_s
    )
    found = None if beats.ectopic is None else np.flatnonzero(beats.ectopic).tolist()
    assert found == (None if case.ectopic is None else list(case.ectopic))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_file_is_recognised_by_its_name_or_header_else_on_request(case, tmp_path) -> None:
    path = case.write(tmp_path)
    if case.named:
        assert set(signals_in(path)) == {RR}
    else:
        with pytest.raises(NoSignal, match="add --source rr"):
            signals_in(path)
    read = signals_in(path, channel=case.column, kind=RR)[RR]
    assert isinstance(read(), Beats)


WAVE = lines([f"{np.sin(t / 9):.4f}" for t in range(400)])
NOT_INTERVALS: dict[str, tuple[str, str]] = {
    "one column of a wave": ("data.csv", WAVE),
    "one column of numbers that could be intervals": ("data.csv", lines(IBI)),
    "a wave of a belt": ("belt.txt", lines(800 + (300 * np.sin(np.arange(400) / 9)).round())),
    "the rate of breathing": ("vitals.csv", lines(range(10), [14] * 10, header="time_s,rr")),
    "results": ("result.csv", "Mean RR (ms),819.7\nRMSSD (ms),44.1\nSDNN (ms),50\nHR,73\n"),
    "prose": ("README.txt", "# Data\nThe RR intervals are from a belt.\nRR and NN are the same.\n"),
    "heart rates": ("hr.txt", lines(clock(ENDS), [72] * 10, sep=";", header="Phone timestamp;HR")),
}


@pytest.mark.parametrize(("name", "text"), NOT_INTERVALS.values(), ids=NOT_INTERVALS)
def test_another_file_is_not_taken_for_intervals(name, text, tmp_path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(NoSignal):
        signals_in(tmp_path / name)


REFUSED: dict[str, tuple[str, str | bytes, str]] = {
    "wave": ("data.csv", WAVE, "only 168 of 400 values are intervals of a heart"),
    "heart rates": ("rr.txt", lines([72, 75, 71, 78] * 5), "median value is 73.5; are these heart"),
    "sample numbers": ("a.csv", lines(np.cumsum([260, 255, 270] * 20)), "only increase, from 260"),
    "beat times in s": (
        "a.csv",
        lines(ENDS.round(3)),
        "only increase, .* are beat times or sample",
    ),
    "mostly zeros": ("a.csv", lines([0, 0, 0, 812] * 9, header="rr_ms"), "only 9 of 36 values are"),
    "nothing but zeros": ("a.csv", lines([0] * 9, header="rr"), "median value is 0"),
    "empty": ("rr.txt", "", "no numbers"),
    "words": ("rr.txt", "one\ntwo\n", "no numbers"),
    "binary": ("rr.txt", b"\1\0\2\0" * 9, "is not text"),
    "all flagged": (
        "ppi.txt",
        lines(
            clock(ENDS),
            IBI,
            [9] * 10,
            [1] * 10,
            [1] * 10,
            [1] * 10,
            sep=";",
            header=PPI.removesuffix(";hr [bpm]"),
        ),
        "all 10 intervals are flagged by the device",
    ),
    "average rates of a .hrm": ("a.hrm", hrm(5), "a heart rate every 5 s, no intervals"),
    "a .hrm without data": ("a.hrm", "[Params]\nInterval=238\n", r"no section \[HRData\]"),
    "two lists": (
        "a.txt",
        lines(IBI, IBI, [1] * 10, sep=" "),
        "3 columns without names, 2 of them",
    ),
    "columns with other names": ("a.csv", lines(IBI, IBI, header="x,y"), "columns x, y: none is"),
    "a clock that was set": (
        "a.csv",
        lines(clock(np.where(np.arange(10) < 5, ENDS, ENDS + 9e6)), IBI, header="time,rri"),
        "jump by 104 days before interval 6",
    ),
    "labels of two years": ("a.txt", lines([*BEATS[:9], 6e7], "NNNNNNNNNN", sep=" "), "694 days"),
    "beats that go back": ("a.txt", lines([1, 2, 2, 3], "NNNN", sep=" "), "do not increase"),
    "beats too far apart": ("a.txt", lines([0, 9, 18, 27], "NNNN", sep=" "), "median value is 9"),
}


@pytest.mark.parametrize(("name", "text", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    name, text, reason, tmp_path
) -> None:
    path = Case(name, text).write(tmp_path)
    with pytest.raises(InputError, match=reason) as refusal:
        read_intervals(path)
    assert name in str(refusal.value)


def test_a_missing_column_is_refused(tmp_path) -> None:
    path = Case("a.csv", lines(IBI, header="rr_ms")).write(tmp_path)
    with pytest.raises(InputError, match="no column 'nn_ms'"):
        read_intervals(path, column="nn_ms")


@pytest.mark.parametrize(("unit", "name"), [(1, "milliseconds"), (1000, "seconds")])
def test_the_unit_is_decided_by_the_values_and_logged(unit, name, tmp_path, caplog) -> None:
    path = Case("rr.txt", lines([v / unit for v in IBI])).write(tmp_path)
    with caplog.at_level(logging.INFO, logger="emotion_rppg"):
        np.testing.assert_allclose(read_intervals(path).intervals_ms, IBI)
    assert f"read as intervals in {name}" in caplog.text


def test_arrays_are_read_if_named_or_on_request(tmp_path) -> None:
    np.save(tmp_path / "s1_nn.npy", np.array(IBI))
    np.save(tmp_path / "s1.npy", np.array(IBI))
    np.save(tmp_path / "square_rr.npy", np.zeros((3, 3)))
    np.testing.assert_allclose(signals_in(tmp_path / "s1_nn.npy")[RR]().intervals_ms, IBI)
    with pytest.raises(NoSignal, match="add --source rr"):
        signals_in(tmp_path / "s1.npy")
    assert len(signals_in(tmp_path / "s1.npy", kind=RR)[RR]()) == 11
    with pytest.raises(NoSignal, match=r"shape \(3, 3\)"):
        read_intervals(tmp_path / "square_rr.npy")


# ---- WFDB annotations --------------------------------------------------------------------------


def write_atr(folder: Path, *, header: bool = True) -> Path:
    wfdb = pytest.importorskip("wfdb")
    samples = np.r_[20, np.rint(360 * (BEATS - 9))].astype(int)
    labels = np.array(["+", *"NNVNNNANNNN"])
    wfdb.wrann("101", "atr", samples, symbol=labels, write_dir=str(folder))
    if header:
        (folder / "101.hea").write_text("101 1 360 4000\n101.dat 16 200 11 1024 995 0 0 MLII\n")
    return folder / "101.atr"


@pytest.mark.slow  # imports wfdb
def test_annotations_of_wfdb_are_read_with_their_labels(tmp_path) -> None:
    beats = signals_in(write_atr(tmp_path))[RR]()
    np.testing.assert_allclose(beats.intervals_ms, IBI, atol=3)
    assert np.flatnonzero(beats.ectopic).tolist() == [2, 6]


def test_annotations_without_header_or_cut_off_are_refused(tmp_path) -> None:
    path = write_atr(tmp_path, header=False)
    with pytest.raises(InputError, match=r"101\.hea of its record"):
        read_intervals(path)
    path.write_bytes(b"\0" * 7)
    with pytest.raises(InputError, match=r"101\.atr"):
        read_intervals(path)


def test_without_wfdb_the_message_says_what_to_install(tmp_path, monkeypatch) -> None:
    (tmp_path / "101.atr").write_bytes(b"\0\0")
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(InputError, match=r"pip install 'emotion-rppg\[files\]'"):
        read_intervals(tmp_path / "101.atr")


# ---- the clock ---------------------------------------------------------------------------------


def heart(n: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    breath = 0.05 * np.sin(2 * np.pi * np.arange(n) / 5)
    return np.round(0.85 + breath + draw.normal(0, 0.01, n), 3)


@dataclass(frozen=True)
class Phone:
    """How late a phone stamps each interval, s."""

    jitter_s: float = 0.0
    packet: int = 1
    drift: float = 0.0
    late: dict[int, float] = field(default_factory=dict)

    def stamps(self, ends_s: np.ndarray) -> np.ndarray:
        draw = np.random.default_rng(1)
        last = (
            np.minimum(
                np.arange(len(ends_s)) // self.packet * self.packet + self.packet, len(ends_s)
            )
            - 1
        )
        stamps = ends_s[last] * (1 + self.drift) + draw.uniform(0, self.jitter_s, len(ends_s))[last]
        for row, by in self.late.items():
            stamps[row] += by
        return stamps


PHONES = {
    "exact": Phone(),
    "jitter": Phone(jitter_s=0.2),
    "packets": Phone(jitter_s=0.1, packet=3),
    "drift": Phone(drift=2e-4),
    "one late row": Phone(late={150: 4.0}),
}


@pytest.mark.parametrize("phone", PHONES.values(), ids=PHONES)
def test_the_delays_of_a_phone_are_no_gaps_and_a_drop_out_is_one(phone) -> None:
    ibi = heart(300)
    ends = np.cumsum(ibi)
    lost, start_s = lost_before(phone.stamps(ends), ibi)
    assert not lost.any()
    off = ends + np.where(np.arange(300) >= 200, 20.0, 0.0)
    lost, _ = lost_before(phone.stamps(off), ibi)
    assert len(np.flatnonzero(lost)) == 1
    assert abs(int(np.flatnonzero(lost)[0]) - 200) < 3
    assert lost.sum() == pytest.approx(20.0, abs=0.4)
    assert 0 <= start_s < 3


def test_a_clock_that_does_not_fit_is_not_used() -> None:
    ibi = heart(300)
    for other in (np.arange(300.0), np.full(300, 7.0), np.full(300, np.nan), 1.3 * np.cumsum(ibi)):
        assert lost_before(other, ibi) is None


@pytest.mark.parametrize(
    ("step_ms", "tolerance"), [(1.0, 1e-6), (1000 / 64, 0.01), (1000 / 128, 0.01)]
)
def test_the_resolution_of_intervals_is_estimated(step_ms, tolerance) -> None:
    ibi = np.round(1e3 * heart(400) / step_ms) * step_ms
    assert resolution_ms(ibi) == pytest.approx(step_ms, abs=tolerance)


def test_errors_of_the_device_and_of_its_resolution_are_standard_errors(tmp_path) -> None:
    exact = read_intervals(Case("rr.txt", lines((1e3 * heart(300)).round())).write(tmp_path))
    coarse = np.round(64 * heart(300)) / 64
    wrist = read_intervals(
        Case("IBI.csv", lines(np.cumsum(coarse), coarse, header="1560279825.0, IBI")).write(
            tmp_path
        )
    )
    flagged = read_intervals(Case("Polar_PPI.txt", FLAGS).write(tmp_path))
    assert 1e3 * exact.timing_sd_s.max() == pytest.approx(1 / 12**0.5, rel=0.01)
    assert 1e3 * wrist.timing_sd_s.max() == pytest.approx(np.hypot(4, 15.625 / 12**0.5), rel=0.02)
    assert 1e3 * flagged.timing_sd_s[1] == pytest.approx(np.hypot(4, 8 / 2**0.5), abs=1.5)


@pytest.mark.parametrize("ending", [e for e in ENDINGS if e not in (".hrm", *ANNOTATIONS)])
def test_each_ending_of_lists_is_recognised(ending, tmp_path) -> None:
    path = Case(f"s01{ending}", lines(IBI)).write(tmp_path)
    np.testing.assert_allclose(signals_in(path)[RR]().intervals_ms, IBI)

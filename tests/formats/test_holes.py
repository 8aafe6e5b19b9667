"""Missing samples stay in their place, in every file format and for every missing-value code."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.formats.missing_values import codes_to_nan, is_missing
from emotion_rppg.formats.signal_files import signals_in

RATE_HZ = 50.0
WAVE = np.round(30 * np.sin(2 * np.pi * 1.2 * np.arange(1500) / RATE_HZ), 3)
MISSING = np.r_[100, 207, 500:800]  # two single samples and six seconds
PRESENT = np.setdiff1d(np.arange(len(WAVE)), MISSING)
WORDS = ("", "n/a", "NaN", "-999", "-9999", "–", "NA")


def cells(word: str) -> list[str]:
    return [word if k in set(MISSING) else f"{v:.3f}" for k, v in enumerate(WAVE)]


def by_row_number(folder: Path, word: str, others: str = ",1") -> Path:
    (folder / "s.json").write_text(json.dumps({"SamplingFrequency": RATE_HZ}))
    rows = "\n".join(cell + others for cell in cells(word))
    (folder / "s.csv").write_text(f"ppg{',acc' if others else ''}\n{rows}\n")
    return folder / "s.csv"


def by_row_number_alone(folder: Path, word: str) -> Path:
    return by_row_number(folder, word, "")


def by_row_number_both_empty(folder: Path, word: str) -> Path:
    path = by_row_number(folder, word)
    path.write_text(path.read_text().replace(f"\n{word},1\n", f"\n{word},\n"))
    return path


def by_gzip(folder: Path, word: str) -> Path:
    path = by_row_number(folder, word)
    (folder / "s.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    return folder / "s.csv.gz"


def by_bids(folder: Path, word: str) -> Path:
    path = folder / "sub-01_task-rest_physio.tsv.gz"
    path.write_bytes(gzip.compress(("\n".join(cells(word)) + "\n").encode()))
    facts = {"SamplingFrequency": RATE_HZ, "StartTime": 0, "Columns": ["cardiac"]}
    (folder / "sub-01_task-rest_physio.json").write_text(json.dumps(facts))
    return path


def by_e4(folder: Path, word: str) -> Path:
    text = "\n".join(["1600000000.0", f"{RATE_HZ}", *cells(word)])
    (folder / "BVP.csv").write_text(text + "\n")
    return folder


def by_excel(folder: Path, word: str) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    (folder / "s.json").write_text(json.dumps({"SamplingFrequency": RATE_HZ}))
    book = openpyxl.Workbook()
    book.active.append(["ppg", "acc"])
    for cell in cells(word):
        book.active.append([float(cell) if cell[-1:].isdecimal() else cell or None, 1])
    book.save(folder / "s.xlsx")
    return folder / "s.xlsx"


WITHOUT_TIMES = [
    by_row_number,
    by_row_number_alone,
    by_row_number_both_empty,
    by_gzip,
    by_bids,
    by_e4,
    by_excel,
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("write", WITHOUT_TIMES)
def test_the_row_number_stays_the_clock(write, word, tmp_path) -> None:
    wave = signals_in(write(tmp_path, word))["bvp"]()
    assert len(wave) == len(WAVE)
    assert wave.rate_hz == RATE_HZ
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(wave.samples)), MISSING)
    np.testing.assert_array_equal(wave.samples[PRESENT], WAVE[PRESENT])


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_with_times_the_gap_has_the_same_length(word, delimiter, tmp_path) -> None:
    rows = "\n".join(f"{k / RATE_HZ:.2f}{delimiter}{cell}" for k, cell in enumerate(cells(word)))
    (tmp_path / "s.csv").write_text(f"time_s{delimiter}bvp\n{rows}\n")
    wave = signals_in(tmp_path / "s.csv")["bvp"]()
    assert len(wave) == len(WAVE)
    assert np.isnan(wave.samples[500:800]).all()
    np.testing.assert_allclose(wave.samples[PRESENT], WAVE[PRESENT], atol=1e-6)


def test_missing_samples_at_the_end_stay_and_blank_lines_do_not(tmp_path) -> None:
    path = by_row_number(tmp_path, "")
    text = path.read_text()
    path.write_text(text + ",\n" * 100)
    assert len(signals_in(path)["bvp"]()) == len(WAVE) + 100
    path.write_text(text + "\n" * 100)
    assert len(signals_in(path)["bvp"]()) == len(WAVE)


def test_a_code_near_the_other_numbers_is_a_value() -> None:
    inside = np.r_[np.linspace(-2000, 500, 300), -999.0]
    np.testing.assert_array_equal(codes_to_nan(inside), inside)
    near = np.r_[np.linspace(-998, 998, 300), -999.0]
    np.testing.assert_array_equal(codes_to_nan(near), near)
    counts = np.r_[np.linspace(0, 4095, 300), -999.0]
    assert np.isnan(codes_to_nan(counts)).tolist() == [False] * 300 + [True]
    assert np.isnan(codes_to_nan(np.full(9, -999.0))).all()


def test_words_for_a_missing_value() -> None:
    assert all(map(is_missing, ["", " ", "NA", "n/a", "NaN", "–", "-"]))
    assert not any(map(is_missing, ["0", "-1", "none", "neutral", "no"]))

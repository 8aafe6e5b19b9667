"""Cached results are returned complete and equal, and never stale."""

import os
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.signal_csv import read_signal
from emotion_rppg.recordings import Video
from emotion_rppg.runtime.cache import Cache, beside_name, cache_beside, list_entries
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.signals import Signal

KEY = "ab" * 32


@pytest.mark.parametrize("quality", [None, np.linspace(0, 1, 90)])
def test_a_wave_is_returned_unchanged(tmp_path, quality) -> None:
    wave = Signal(np.r_[np.nan, np.arange(89.0)], 29.97, kind="rppg", start_s=2.5, quality=quality)
    Cache(tmp_path).put(KEY, wave)
    again = Cache(tmp_path).get(KEY)
    np.testing.assert_array_equal(again.samples, wave.samples)
    assert (again.rate_hz, again.start_s, again.kind) == (29.97, 2.5, "rppg")
    assert (again.quality is None) == (quality is None)


def test_a_table_is_returned_unchanged(tmp_path) -> None:
    table = pd.DataFrame({"n": [1, 2], "x": [np.nan, 0.1], "t": ["", "ü"], "b": [True, False]})
    Cache(tmp_path).put(KEY, table)
    pd.testing.assert_frame_equal(Cache(tmp_path).get(KEY), table)


def test_images_are_returned_unchanged(tmp_path) -> None:
    arrays = {"pictures": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3), "at": np.array(0.5)}
    Cache(tmp_path).put(KEY, arrays)
    again = Cache(tmp_path).get(KEY)
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array, strict=True)


def test_a_damaged_result_counts_as_absent(tmp_path) -> None:
    cache = Cache(tmp_path)
    assert cache.get(KEY) is None
    assert cache.get(None) is None
    cache.put(KEY, pd.DataFrame({"x": np.arange(100.0)}))
    path = cache.entries()[0].path
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    for content in (b"", whole[:-1], whole[:40], bytes(flipped)):
        path.write_bytes(content)
        assert cache.get(KEY) is None


def test_clearing_removes_cached_results_and_nothing_else(tmp_path) -> None:
    (tmp_path / "thesis.kept").write_text("three years")
    cache = Cache(tmp_path)
    for letter in "ab":
        cache.put(letter * 64, pd.DataFrame({"x": [1.0]}))
    os.utime(tmp_path / f"{'a' * 64}.kept", (0, 0))
    assert [e.path.name[0] for e in cache.clear(before_s=1e6)] == ["a"]
    assert len(cache.clear()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.kept"]


# ---- fingerprints ------------------------------------------------------------------------------


def test_any_change_of_a_file_changes_the_fingerprint(tmp_path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(3 << 20))
    first = fingerprint(Video(path))
    assert fingerprint(Video(path)) == first
    with path.open("r+b") as file:  # in the middle, which the bytes of both ends do not show
        file.seek(3 << 19)
        file.write(b"x")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    second = fingerprint(Video(path))
    path.write_bytes(b"short")
    assert len({first, second, fingerprint(Video(path)), fingerprint(Video(path, 1.0))}) == 4


def test_the_fingerprint_of_a_folder_changes_with_its_files(tmp_path) -> None:
    (tmp_path / "config.json").write_text("{}")
    first = fingerprint(tmp_path)
    called = fingerprint(partial(read_signal, str(tmp_path)))
    (tmp_path / "model.safetensors").write_text("w")
    assert fingerprint(tmp_path) != first
    assert fingerprint(partial(read_signal, str(tmp_path))) != called


def test_the_path_of_a_file_does_not_matter_and_a_plain_string_is_no_file(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "anna").mkdir()
    (tmp_path / "a.csv").write_text("time_s,bvp")
    assert fingerprint(Path("a.csv")) == fingerprint(tmp_path / "a.csv")
    before = fingerprint({"subject": "anna"})
    (tmp_path / "anna" / "b.csv").write_text("x")
    assert fingerprint({"subject": "anna"}) == before


def test_every_array_element_and_every_argument_counts(tmp_path) -> None:
    wave = Signal(np.zeros(500), 50.0)
    other = Signal(np.r_[np.zeros(250), 1e-9, np.zeros(249)], 50.0)
    (tmp_path / "a.csv").write_text("time_s,bvp\n0,1\n")
    reads = [partial(read_signal, tmp_path / "a.csv", kind) for kind in ("bvp", "ecg")]
    prints = [fingerprint(thing) for thing in (wave, other, *reads, 1, 1.0, "1", True, None)]
    assert None not in prints
    assert len(set(prints)) == len(prints)


def test_functions_of_other_packages_have_no_fingerprint() -> None:
    assert fingerprint(lambda rgb, rate_hz: rgb[:, 1]) is None
    assert fingerprint({"method": np.sum}) is None
    assert fingerprint(partial(len, "x")) is None


def test_a_change_of_the_code_changes_the_fingerprint(monkeypatch) -> None:
    first = fingerprint(1)
    monkeypatch.setattr("emotion_rppg.runtime.cache_keys.code_digest", lambda: "other")
    assert fingerprint(1) != first


# ---- beside an output --------------------------------------------------------------------------


def interrupted(out: Path) -> None:
    """Leave one result beside the output."""
    with suppress(KeyboardInterrupt), cache_beside(out) as cache:
        cache.put(KEY, pd.DataFrame({"x": [1.0]}))
        raise KeyboardInterrupt


def test_results_beside_an_output_are_removed_once_it_is_complete(tmp_path) -> None:
    out = tmp_path / "new" / "t.csv"
    interrupted(out)
    with cache_beside(out) as cache:
        assert cache.get(KEY) is not None
    assert list(out.parent.iterdir()) == []
    with pytest.raises(InputError, match="bad"), cache_beside(out):
        raise InputError("bad")  # nothing was done: nothing is left
    assert list(out.parent.iterdir()) == []


HOLDS = """
import sys, time
from pathlib import Path
from emotion_rppg.runtime.cache import cache_beside
with cache_beside(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


def test_two_processes_cannot_make_one_output_and_a_killed_one_holds_no_lock(tmp_path) -> None:
    out = tmp_path / "t.csv"
    other = subprocess.Popen([sys.executable, "-c", HOLDS, str(out)], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(InputError, match=rf"another process \({other.pid}\) is making"):
            cache_beside(out).__enter__()
        with pytest.raises(InputError, match="is using the results"):
            list_entries(tmp_path, clear=True)
        with cache_beside(tmp_path / "other.csv"):
            pass  # another output beside it is free
    finally:
        other.kill()
        other.communicate()
    half = tmp_path / ".t-abcd1234.csv"
    half.write_text("half")
    mine = tmp_path / ".t-notes.csv"
    mine.write_text("mine")
    with cache_beside(out):
        assert not half.exists()
    assert [p.name for p in tmp_path.iterdir()] == [mine.name]


def test_results_of_an_unfinished_output_are_listed_and_cleared(tmp_path) -> None:
    out = tmp_path / "t.csv"
    interrupted(out)
    assert [(h.folder, h.results) for h in list_entries(tmp_path)] == [
        (tmp_path, 0),
        (beside_name(out), 1),
    ]
    assert sum(h.results for h in list_entries(tmp_path, clear=True)) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_refused_as_cache_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="is a file"):
        Cache(tmp_path / "x")

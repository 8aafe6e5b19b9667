"""BIOPAC files: rate, unit and samples of each channel, and no count that is trusted."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.biopac import acq_contents
from emotion_rppg.formats.signal_files import signals_in
from tests.formats.waves import pulse, rate_of

bioread = pytest.importorskip("bioread")
BASE_HZ = 200.0
# name, unit, divider of the rate
CHANNELS = (("PPG - PPG100C", "Volts", 1), ("EDA - GSR100C", "microsiemens", 4))


def header(kind: str, revision: int, **fields: object) -> bytes:
    """Return the bytes of a header as the library describes it, with these fields."""
    described = getattr(bioread.headers, kind).for_revision(revision, "<")
    content = described._struct_class()
    for name, value in fields.items():
        setattr(content, name, value)
    return bytes(content)


def size_of(kind: str, revision: int) -> int:
    return len(header(kind, revision))


def write_acq(folder: Path, bpm: float = 72.0, *, packed: bool = False) -> Path:
    """Write 40 s of a pulse at 200 Hz and an EDA at 50 Hz, with one marker."""
    revision = bioread.file_revisions.V_381 if packed else bioread.file_revisions.V_373
    waves = [pulse(bpm, BASE_HZ), np.full(2000, 3.5)]
    raw = [np.round(wave / 0.01).astype("<i2") for wave in waves]
    graph = {"lVersion": revision, "nChannels": 2, "dSampleTime": 1000 / BASE_HZ}
    graph["lExtItemHeaderLen"] = size_of("GraphHeader", revision)
    if packed:
        graph["bCompressed"] = 1
    out = header("GraphHeader", revision, **graph)
    for (name, unit, divider), samples in zip(CHANNELS, raw, strict=True):
        out += header(
            "ChannelHeader",
            revision,
            lChanHeaderLen=size_of("ChannelHeader", revision),
            szCommentText=name.encode(),
            szUnitsText=unit.encode(),
            lBufLength=len(samples),
            dAmplScale=0.01,
            nVarSampleDivider=divider,
        )
    out += header("ForeignHeader", revision, nLength=4)
    out += header("ChannelDTypeHeader", revision, nSize=2, nType=2) * 2
    if not packed:  # four samples of the pulse for one of the EDA, which is in the first place
        rows = np.column_stack([raw[0].reshape(-1, 4)[:, :1], raw[1], raw[0].reshape(-1, 4)[:, 1:]])
        out += rows.astype("<i2").tobytes()
    out += header("MarkerHeader", revision, lLength=0, lMarkers=0)
    if packed:
        out += bytes((0x44, 0x33, 0x22, 0x11)) + struct.pack("<hi", 0, 0)  # an empty journal
        out += header("MainCompressionHeader", revision, lTextLen=0)
        for samples in raw:
            block = zlib.compress(samples.tobytes())
            out += header(
                "ChannelCompressionHeader",
                revision,
                lUncompressedLen=samples.nbytes,
                lCompressedLen=len(block),
            )
            out += block
    path = folder / "lab.acq"
    path.write_bytes(out)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_each_channel_has_its_rate_unit_and_samples(packed, tmp_path) -> None:
    path = write_acq(tmp_path, packed=packed)
    found = signals_in(path)
    assert list(found) == ["bvp", "eda"]
    bvp, eda = found["bvp"](), found["eda"]()
    assert (bvp.rate_hz, eda.rate_hz) == (200, 50)
    np.testing.assert_allclose(bvp.samples, pulse(72, 200), atol=0.006)
    np.testing.assert_allclose(eda.samples, 3.5)
    assert rate_of(signals_in(path, channel="ppg - ppg100c")["bvp"]()) == pytest.approx(72, abs=0.5)
    assert [c.unit for c in acq_contents(path).channels] == ["Volts", "microsiemens"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_cut_off_is_refused(packed, tmp_path) -> None:
    path = write_acq(tmp_path, packed=packed)
    raw = path.read_bytes()
    for share in (0.9, 0.4, 0.01):
        path.write_bytes(raw[: int(share * len(raw))])
        with pytest.raises(InputError, match=r"cut off|no intact header|cannot be read"):
            signals_in(path)["bvp"]()


def replaced(path: Path, before: bytes, after: bytes) -> None:
    raw = path.read_bytes()
    assert raw.count(before) >= 1
    path.write_bytes(raw.replace(before, after, 1))


def test_counts_beyond_the_file_are_refused(tmp_path) -> None:
    path = write_acq(tmp_path)
    replaced(path, struct.pack("<i", 8000), struct.pack("<i", 2**31 - 1))
    with pytest.raises(InputError, match=r"cut off: .* its channels need 42"):
        signals_in(path)
    path = write_acq(tmp_path)
    replaced(path, struct.pack("<i", 8000), struct.pack("<i", -8000))
    with pytest.raises(InputError, match=r"negative number|no intact header|cannot be read"):
        signals_in(path)


def test_a_packed_channel_unpacks_to_no_more_than_it_announces(tmp_path) -> None:
    path = write_acq(tmp_path, packed=True)
    replaced(path, struct.pack("<i", 8000), struct.pack("<i", 9000))
    with pytest.raises(InputError, match="16000 of 18000 bytes of PPG"):
        signals_in(path)["bvp"]()


def test_a_packed_channel_is_unpacked_within_a_limit(tmp_path, monkeypatch) -> None:
    limits = []

    class Unpacker:
        def decompress(self, raw: bytes, limit: int = 0) -> bytes:
            limits.append(limit)
            return zlib.decompress(raw)

    monkeypatch.setattr("emotion_rppg.formats.biopac.zlib.decompressobj", Unpacker)
    signals_in(write_acq(tmp_path, packed=True))["bvp"]()
    assert limits == [16_000]


def test_dividers_whose_order_never_repeats_are_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.formats.biopac._MAX_PATTERN", 4)
    with pytest.raises(InputError, match=r"its channels divide the rate by \[1, 4\]"):
        signals_in(write_acq(tmp_path))


def test_a_file_with_endless_counts_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("emotion_rppg.formats.biopac._MAX_READS", 3)
    with pytest.raises(InputError, match="its counts are damaged"):
        signals_in(write_acq(tmp_path))


def test_another_file_is_refused(tmp_path) -> None:
    path = tmp_path / "lab.acq"
    for content in (b"", b"hello", bytes(10_000), b"\xff" * 10_000):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"lab\.acq"):
            signals_in(path)


def test_files_of_two_versions_have_the_same_channels(real_data) -> None:
    folder = real_data / "devices" / "biopac_acq"
    contents = [acq_contents(folder / f"physio-{v}.acq") for v in ("3.9.1", "5.0.1")]
    assert contents[0].channels == contents[1].channels
    waves = [signals_in(folder / f"physio-{v}.acq")["ecg"]() for v in ("3.9.1", "5.0.1")]
    assert waves[0].rate_hz == 1000
    np.testing.assert_allclose(waves[0].samples, waves[1].samples)
    assert len(contents[1].markers) == 10

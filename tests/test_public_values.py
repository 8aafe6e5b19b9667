"""Public values are named by the package itself, and each is printed in one informative line."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import emotion_rppg
from emotion_rppg import Beats, Extraction, Recording, Signal, Video, Windows
from emotion_rppg.features import FAMILIES
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.recurrent import gates
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.signal_quality import judge
from emotion_rppg.study import Reading, pretrain_encoder
from emotion_rppg.windows import cut

CONTRACT = [
    "Signal",
    "Beats",
    "Video",
    "Recording",
    "Windows",
    "Extraction",
    "Evaluation",
    "estimate",
    "estimate_people",
    "find_beats",
    "extract",
    "fit",
    "predict",
    "evaluate",
    "load",
    "read_table",
]
SIGNAL = Signal(np.sin(np.arange(1800) / 4), 30, kind="bvp", quality=np.ones(1800))
BEATS = Beats(np.arange(60.0), gaps=[(3.2, 3.8)], kind="bvp", span_s=(0, 60))
VIDEO = Video("a/face.mp4", 2, 62.5, frames=partial(zip, np.zeros((40, 3)), np.zeros(40)))
RECORDING = Recording(
    "mine",
    "01",
    labels={"arousal": 7.0},
    video=VIDEO,
    signals={"bvp": SIGNAL, "ecg": partial(replace, SIGNAL, kind="ecg")},
)
WINDOWS = cut(BEATS, SIGNAL, length_s=30, step_s=15, facts={"subject": "01"})


def table() -> pd.DataFrame:
    """40 labelled feature rows of four people."""
    draw = np.random.default_rng(0)
    rows = {
        "dataset": "mine",
        "subject": np.repeat(["1", "2", "3", "4"], 10),
        "trial": "1",
        "source": "bvp",
        "duration_s": 60.0,
        "hr_bpm": draw.normal(70, 5, 40),
        "rmssd_ms": draw.normal(40, 9, 40),
        "seq_ibi_ms": " ".join(f"{ms:.0f}" for ms in draw.normal(800, 30, 50)),
        "label_arousal": np.tile([2.0, 8.0], 20),
        "scale_arousal": "1..9",
    }
    return pd.DataFrame(rows).assign(start_s=lambda t: 60.0 * t.groupby("subject").cumcount())


LIGHT = {
    "signal": (SIGNAL, "Signal(1800 samples, 30 Hz, 0.00–60.00 s, bvp)"),
    "beats": (BEATS, "Beats(60 beats, 0.00–60.00 s, bvp, 1 gaps)"),
    "video": (VIDEO, "Video('a/face.mp4', 2 s – 62.5 s)"),
    "a whole video": (Video("b.avi", region="full"), "Video('b.avi', 0 s – end, region full)"),
    "recording": (RECORDING, "Recording(mine/01/1/1: video, bvp, ecg; labels: arousal)"),
    "windows": (WINDOWS, "Windows(3 windows, 30–30 s, 3 with a wave)"),
    "no windows": (Windows(WINDOWS.table[:0], []), "Windows(0 windows, 0 with a wave)"),
    "extraction": (Extraction(face=2, step_s=10), "Extraction(face=2, step_s=10.0)"),
    "cache": (Cache("kept"), "Cache('kept')"),
}


@pytest.mark.parametrize(("value", "line"), LIGHT.values(), ids=LIGHT)
def test_a_value_is_printed_as_one_informative_line(value, line) -> None:
    assert repr(value) == line.replace("a/face.mp4", str(Path("a/face.mp4")))


@pytest.mark.slow
def test_no_public_value_needs_a_second_line(tmp_path) -> None:
    rows = table()
    encoder = pretrain_encoder([rows], hidden=2, epochs=1)
    values = [
        judge(SIGNAL),
        Reading.of(Extraction()),
        Extraction(method=np.diff, encoder=encoder),
        gates(nn.LSTM(2, 3), torch.zeros(40, 2)),
        *FAMILIES.values(),
        *KINDS.values(),
        emotion_rppg.evaluate(rows, target="arousal", heads=["logistic"], permutations=0),
        emotion_rppg.fit(rows, target="arousal", head="lstm"),
        encoder,
    ]
    for value in values:
        assert "\n" not in repr(value), type(value)
        assert len(repr(value)) < 400, type(value)
    assert "encoder={'not_stored': 'Pretrained'}" in repr(Extraction(encoder=encoder))


def test_the_package_names_what_its_contract_promises() -> None:
    assert set(CONTRACT) <= set(emotion_rppg.__all__) <= set(dir(emotion_rppg))
    shown = {name for name in dir(emotion_rppg) if not name.startswith("__")}
    assert shown == set(emotion_rppg.__all__)  # no imports of the module itself
    assert list(emotion_rppg._HOME) == list(dict.fromkeys(emotion_rppg._HOME))
    assert set(emotion_rppg._HOME) == set(emotion_rppg.__all__)


def test_a_table_is_read_through_the_package(tmp_path) -> None:
    rows = pd.DataFrame({"subject": ["01"], "start_s": [0.0], "duration_s": [60.0]})
    rows.to_csv(tmp_path / "t.csv", index=False)
    pd.testing.assert_frame_equal(emotion_rppg.read_table(tmp_path / "t.csv"), rows)


def test_a_name_that_is_not_public_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'reed_table'"):
        _ = emotion_rppg.reed_table

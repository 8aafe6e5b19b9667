"""The gates' figure shows every unit under the beats it read, and nothing in a gap."""

import numpy as np
import pytest
import torch

from emotion_rppg.emotion.deep.encoders import Encoder
from emotion_rppg.errors import InputError
from emotion_rppg.features import sequences
from emotion_rppg.report.plots.gates import gate_activity
from emotion_rppg.signals import Beats


def test_every_gate_stands_under_its_interval_and_gaps_stay_white(tmp_path) -> None:
    times = np.cumsum(np.r_[0.0, np.full(9, 0.8), 5.0, np.full(10, 0.9)])
    beats = Beats(times, gaps=[(7.3, 12.0)])
    torch.manual_seed(0)
    gates = Encoder(6, hidden=4).gates(sequences.tokens(sequences.table([beats]))[0])
    figure = gate_activity(beats, gates)
    figure.savefig(tmp_path / "gates.png")
    top, *maps = figure.axes[:4]
    assert np.isnan(top.lines[0].get_ydata()).sum() == 1
    for axis, name in zip(maps, ("forget", "input", "output"), strict=True):
        drawn = np.ma.filled(axis.collections[0].get_array(), np.nan).reshape(4, -1)
        assert np.isnan(drawn[:, 9]).all()
        own = np.sort(getattr(gates, name).numpy().T, axis=0)
        np.testing.assert_allclose(np.sort(drawn[:, beats.joined], axis=0), own)
    with pytest.raises(InputError, match="19 steps of gates for 18 intervals"):
        gate_activity(beats.crop(0, times[-1]), gates)

"""The table of pulse networks, and how a trained one is written; needs torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from emotion_rppg import __version__
from emotion_rppg.checkpoints import CONFIG, save_tensors, write_json
from emotion_rppg.pulse.inference import KIND
from emotion_rppg.pulse.physnet import PhysNet
from emotion_rppg.pulse.rivals import (
    CNN2DLSTM,
    CNN2DRNN,
    CNN3D,
    CNN2DBiLSTM,
    CNN2DConvLSTM,
    CNN3DDilated,
)

NETWORKS: dict[str, Any] = {
    "physnet": PhysNet,
    "cnn3d": CNN3D,
    "cnn3d_dilated": CNN3DDilated,
    "cnn2d_rnn": CNN2DRNN,
    "cnn2d_lstm": CNN2DLSTM,
    "cnn2d_bilstm": CNN2DBiLSTM,
    "cnn2d_convlstm": CNN2DConvLSTM,
}


def save_network(
    folder: Path,
    module: nn.Module,
    *,
    network: str,
    options: Mapping[str, Any],
    rate_hz: float,
    size: int,
    normalisation: str,
    trained_on: Mapping[str, Sequence[str]] | str,
    training: Mapping[str, Any],
    output: str = "wave",
    polarity: int = 1,
    lag_s: float = 0.0,
) -> None:
    """Write weights and config.json into a folder, as `load_network` reads them.

    Parameters
    ----------
    network, options : name in ``NETWORKS`` and the arguments it was made with
    rate_hz, size, normalisation : what the network takes
    trained_on : ``{data set: [subjects]}`` or "unknown"
    training : how it came about
    output : {"wave", "derivative"}
    polarity : 1, or -1 where it gives less blood as up
    lag_s : how much its wave comes late, in seconds
    """
    people: Any = trained_on
    if not isinstance(trained_on, str):
        people = {dataset: list(map(str, who)) for dataset, who in trained_on.items()}
    config = {
        "kind": KIND,
        "network": network,
        "options": dict(options),
        "rate_hz": rate_hz,
        "size": size,
        "normalisation": normalisation,
        "output": output,
        "polarity": polarity,
        "lag_s": lag_s,
        "trained_on": people,
        "training": dict(training),
        "version": __version__,
    }
    save_tensors(folder, module.state_dict())
    write_json(folder / CONFIG, config)

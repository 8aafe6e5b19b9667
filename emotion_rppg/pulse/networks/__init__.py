"""The table of pulse networks, and how a trained one is written; needs torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from emotion_rppg._version import __version__
from emotion_rppg.pulse import KIND
from emotion_rppg.pulse.networks.baselines import (
    CNN2DLSTM,
    CNN2DRNN,
    CNN3D,
    CNN2DBiLSTM,
    CNN2DConvLSTM,
    CNN3DDilated,
)
from emotion_rppg.pulse.networks.physnet import PhysNet
from emotion_rppg.runtime.atomic_files import CARD, CONFIG, write_json
from emotion_rppg.runtime.model_folders import save_tensors

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
    """Write weights, config.json and MODEL_CARD.md into a folder, as `load_network` reads them.

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
    weights = sum(p.numel() for p in module.parameters())
    (folder / CARD).write_text(card(config, weights), encoding="utf-8")


def card(config: Mapping[str, Any], weights: int) -> str:
    """The model card, Markdown, of what config.json says."""
    people = config["trained_on"]
    named = isinstance(people, Mapping)
    saw = [f"- {name}: {', '.join(who)}" for name, who in people.items()] if named else []
    how = [f"- {key}: {value}" for key, value in config["training"].items()]
    late = f"{1e3 * config['lag_s']:+.0f} ms late"
    return "\n".join(
        [
            f"# A pulse network: {config['network']}",
            "",
            "From pictures of a face to its blood volume pulse (rPPG). Not a medical device.",
            "",
            f"- **Takes** RGB pictures of {config['size']}×{config['size']} pixels, "
            f"{config['rate_hz']:g} a second: the square about a face 1.65 times as wide as the "
            f"face. Normalisation: {config['normalisation']}.",
            f"- **Gives** one number a picture ({config['output']}; polarity "
            f"{config['polarity']:+d}, {late}); `emotion_rppg` turns it so that more blood is up.",
            f"- **Weights**: {weights:,}; written by emotion_rppg {config['version']}.",
            "",
            "## Whom it saw in training",
            "",
            "Nobody may be tested with it who stands here; `evaluate` refuses to.",
            "",
            *(saw or ["- unknown"]),
            "",
            "## How it came about",
            "",
            *how,
            "",
            "## Limits",
            "",
            "A network writes a pulse over anything: trust a wave only as far as its quality says. "
            "Skin tones, lights, motions and codecs that it did not see in training are untested.",
            "",
        ]
    )

"""List the pulse networks (NETWORKS) and save a trained one; imports torch."""

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
    PhysNetBiLSTM,
)
from emotion_rppg.pulse.networks.physnet import PhysNet
from emotion_rppg.runtime.atomic_files import CARD, CONFIG, write_json
from emotion_rppg.runtime.model_folders import save_tensors
from emotion_rppg.video.face_tracking import WIDEN

NETWORKS: dict[str, Any] = {
    "physnet": PhysNet,
    "cnn3d": CNN3D,
    "cnn3d_dilated": CNN3DDilated,
    "cnn2d_rnn": CNN2DRNN,
    "cnn2d_lstm": CNN2DLSTM,
    "cnn2d_bilstm": CNN2DBiLSTM,
    "cnn2d_convlstm": CNN2DConvLSTM,
    "physnet_bilstm": PhysNetBiLSTM,
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
    crop_width: float | None = None,
    source: Mapping[str, Any] | None = None,
    check: Mapping[str, Any] | None = None,
) -> None:
    """Save a network to a folder for `load_network`: weights, config.json and MODEL_CARD.md.

    Parameters
    ----------
    network, options : name in ``NETWORKS`` and the arguments of its class
    rate_hz, size, normalisation : frames a second, pixels a side and normalisation of its input
    trained_on : ``{data set: [subjects]}`` or "unknown"
    training : settings and results of its training, for the model card
    output : {"wave", "derivative"}
    polarity : 1, or -1 if less blood is up in its wave
    lag_s : delay of its wave, in seconds
    crop_width : width of its face crops in widths of the face's box; default: 1.65
    source : file, hash, repository and licence of converted weights
    check : how output, polarity and lag of converted weights were measured
    """
    people: Any = trained_on
    if not isinstance(trained_on, str):
        people = {dataset: list(map(str, ids)) for dataset, ids in trained_on.items()}
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
    optional = {"crop_width": crop_width, "source": source, "check": check}
    config |= {key: value for key, value in optional.items() if value is not None}
    save_tensors(folder, module.state_dict())
    write_json(folder / CONFIG, config)
    weights = sum(p.numel() for p in module.parameters())
    (folder / CARD).write_text(card(config, weights), encoding="utf-8")


def card(config: Mapping[str, Any], weights: int) -> str:
    """Write the model card (Markdown) from the content of config.json."""
    people = config["trained_on"]
    known = isinstance(people, Mapping)
    subjects = [f"- {name}: {', '.join(ids)}" for name, ids in people.items()] if known else []
    facts = [f"- {key}: {value}" for key, value in config["training"].items()]
    late = f"{1e3 * config['lag_s']:+.0f} ms late"
    width = config.get("crop_width", WIDEN)
    return "\n".join(
        [
            f"# A pulse network: {config['network']}",
            "",
            "Estimates the blood volume pulse (rPPG) from crops of a face. Not a medical device.",
            "",
            f"- **Input**: RGB crops of {config['size']}×{config['size']} pixels, "
            f"{config['rate_hz']:g} a second: a square around the face, {width:g} times as wide as "
            f"the face. Normalisation: {config['normalisation']}.",
            f"- **Output**: one number a frame ({config['output']}; polarity "
            f"{config['polarity']:+d}, {late}); `emotion_rppg` orients it so that more blood is "
            "up.",
            f"- **Weights**: {weights:,}; written by emotion_rppg {config['version']}.",
            "",
            "## Subjects in training",
            "",
            "Do not evaluate on any subject listed below; `evaluate` refuses to.",
            "",
            *(subjects or ["- unknown"]),
            "",
            "## Training",
            "",
            *facts,
            "",
            *_section("Source", config.get("source")),
            *_section("Check of output, polarity and lag", config.get("check")),
            "## Limits",
            "",
            "A network outputs a pulse for any input: use a wave only where its quality is high. "
            "Skin tones, lights, motions and codecs that were not in training are untested.",
            "",
        ]
    )


def _section(title: str, facts: Mapping[str, Any] | None) -> list[str]:
    """Write a section of a model card as lines; nothing without facts."""
    if not facts:
        return []
    return [f"## {title}", "", *(f"- {key}: {value}" for key, value in facts.items()), ""]

"""A pretrained encoder and its folder: sequences in, vectors out.

The vectors become the table's columns ``emb_000`` …; `pretraining` makes the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from emotion_rppg import __version__
from emotion_rppg.emotion.deep.encoders import (
    Encoder,
    Standardise,
    lengths_of,
    small_and_repeatable,
)
from emotion_rppg.emotion.deep.seq2seq import Autoencoder, build, checked, turned
from emotion_rppg.errors import InputError
from emotion_rppg.features.sequences import INPUTS
from emotion_rppg.recurrent import Gates
from emotion_rppg.runtime.atomic_files import CONFIG, atomic_folder, write_json
from emotion_rppg.runtime.model_folders import load_state, load_tensors, read_config, save_tensors

if TYPE_CHECKING:
    import pandas as pd

KIND = "encoder"


@dataclass(frozen=True, eq=False)
class Pretrained:
    """An autoencoder fitted to unlabelled sequences.

    Attributes
    ----------
    network : Autoencoder
        In float64 and eval mode. ``network.encoder`` is the encoder alone.
    standardise : Standardise
        Statistics of what is written.
    options : dict
        Keyword arguments of `seq2seq.build`.
    trained_on : dict or "unknown"
        ``{data set: [subjects]}``: whom it must not be tested on.
    training : dict
        The recipe, and ``losses``: the mean loss of each epoch.
    reads, order : str
        As of `pretraining.pretrain` and its recipe.
    """

    network: Autoencoder
    standardise: Standardise
    options: dict[str, Any]
    trained_on: Mapping[str, Sequence[str]] | str
    training: Mapping[str, Any] = field(default_factory=dict)
    reads: str = "beats"
    order: str = "reverse"

    @property
    def encoder(self) -> Encoder:
        return self.network.encoder

    @property
    def dim(self) -> int:
        return self.encoder.dim

    def tokens(self, table: pd.DataFrame) -> np.ndarray:
        """What this encoder reads of a table's rows, (n, longest, channels)."""
        if self.reads not in INPUTS:
            raise InputError(
                f"this encoder reads {self.reads!r}, which no table holds: make the array with "
                "features.sequences.waves and give it to embed"
            )
        return INPUTS[self.reads](table)

    def embed(self, tokens: np.ndarray) -> np.ndarray:
        """(n, longest, channels) NaN-padded -> (n, dim); NaN for a row without a token."""
        tokens = checked(tokens, self.options["channels"])
        lengths = lengths_of(tokens)
        with small_and_repeatable(0), torch.no_grad():
            vectors = self.encoder(torch.tensor(tokens), torch.tensor(lengths)).numpy()
        vectors[lengths == 0] = np.nan
        return vectors

    def reconstruct(self, tokens: np.ndarray, *, steps: int | None = None) -> np.ndarray:
        """What the decoder writes from each sequence's vector, in its own units and time's order.

        (n, longest, channels) -> (n, longest, channels), NaN behind each sequence's end.
        ``steps`` is how many to write where the target's length is not the input's.
        """
        tokens = checked(tokens, self.options["channels"])
        lengths = lengths_of(tokens)
        wanted = lengths if steps is None else np.full(len(tokens), steps)
        longest = tokens.shape[1] if steps is None else steps
        with small_and_repeatable(0), torch.no_grad():
            written = self.network(torch.tensor(tokens), torch.tensor(lengths), max(longest, 1))
            written = written * self.standardise.scale + self.standardise.mean
        there = np.arange(longest) < wanted[:, None]
        return turned(np.where(there[..., None], written.numpy()[:, :longest], np.nan), self.order)

    def gates(self, sequence: np.ndarray) -> Gates:
        """What the LSTM's gates did over one sequence: (time, channels) -> (steps, hidden) each.

        Those of the first layer, forward. Steps are tokens, or with ``strides`` so many samples.
        """
        sequence = checked(np.asarray(sequence)[None], self.options["channels"])
        return self.encoder.gates(sequence[0, : lengths_of(sequence)[0]])

    def save(self, folder: str | Path) -> Path:
        """Write config.json and model.safetensors."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"standardise.{k}": v for k, v in self.standardise.state_dict().items()}
        trained_on = self.trained_on
        if not isinstance(trained_on, str):
            trained_on = {d: [str(s) for s in who] for d, who in trained_on.items()}
        with atomic_folder(folder) as fresh:
            save_tensors(fresh, tensors)
            config = {
                "kind": KIND,
                "reads": self.reads,
                "order": self.order,
                "options": self.options,
                "trained_on": trained_on,
                "training": dict(self.training),
                "version": __version__,
            }
            write_json(fresh / CONFIG, config)
        return Path(folder)


def pretrained_encoders_of(head: Any) -> list[Pretrained]:
    """The encoders with which a head, or any that it is made of, begins its training."""
    given = {k: v for k, v in head.get_params().items() if k.rpartition("__")[2] == "encoder"}
    return [load_encoder(folder) for folder in given.values() if folder is not None]


def load_encoder(folder: str | Path) -> Pretrained:
    """Read an encoder folder.

    Raises
    ------
    InputError
        Not an encoder's folder, or a damaged one.
    """
    config = read_config(folder)
    if config.get("kind") != KIND:
        raise InputError(
            f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, want an encoder: make "
            "one with `emotion-rppg train encoder`"
        )
    try:
        options = dict(config["options"])
        rest = [config[name] for name in ("trained_on", "training", "reads", "order")]
        network, standardise = build(**options)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(f"config.json in {str(folder)!r} is damaged: {error}") from error
    whole = nn.ModuleDict({"network": network, "standardise": standardise})
    load_state(whole, load_tensors(folder), str(folder))
    whole.eval()
    return Pretrained(network, standardise, options, *rest)

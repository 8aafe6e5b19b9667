"""Pretrained encoders: load and save them, embed sequences as vectors, inspect their gates.

The vectors are the columns ``emb_000`` … of a feature table. `pretraining` fits an encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from emotion_rppg._version import __version__
from emotion_rppg.emotion.deep.encoders import (
    Encoder,
    Standardise,
    deterministic_single_thread,
)
from emotion_rppg.emotion.deep.seq2seq import (
    ORDERS,
    Autoencoder,
    build,
    checked_tokens,
    in_writing_order,
)
from emotion_rppg.emotion.design_matrix import lengths_of
from emotion_rppg.errors import InputError
from emotion_rppg.features.sequences import INPUTS
from emotion_rppg.recurrent import Gates
from emotion_rppg.runtime.atomic_files import CONFIG, atomic_folder, write_json
from emotion_rppg.runtime.config_checks import (
    check_entries,
    mapping,
    network_options,
    one_of,
    people,
    text,
)
from emotion_rppg.runtime.model_folders import load_tensors, read_config, restored, save_tensors

if TYPE_CHECKING:
    import pandas as pd

KIND = "encoder"
_PARTS = ("network", "standardise")
_RULES = {
    "options": network_options(),
    "trained_on": people(),
    "training": mapping(),
    "reads": text(),
    "order": one_of(ORDERS),
}


@dataclass(frozen=True, eq=False)
class Pretrained:
    """An autoencoder fitted to unlabelled sequences.

    Attributes
    ----------
    network : Autoencoder
        In float64 and eval mode. ``network.encoder`` is the encoder alone.
    standardise : Standardise
        Mean and SD of the decoder's targets.
    options : dict
        Keyword arguments of `seq2seq.build`.
    trained_on : dict or "unknown"
        ``{data set: [subjects]}``: evaluation must not test on these people.
    training : dict
        The fields of `pretraining.PretrainingConfig`, and ``losses``: the mean loss of each epoch.
    reads, order : str
        As in `pretraining.pretrain` and `pretraining.PretrainingConfig`.
    """

    network: Autoencoder
    standardise: Standardise
    options: dict[str, Any]
    trained_on: Mapping[str, Sequence[str]] | str
    training: Mapping[str, Any] = field(default_factory=dict)
    reads: str = "beats"
    order: str = "reverse"

    def __repr__(self) -> str:
        subjects = self.trained_on
        people = subjects if isinstance(subjects, str) else sum(map(len, subjects.values()))
        return f"Pretrained({self.reads} -> {self.encoder.dim} numbers; people: {people})"

    @property
    def encoder(self) -> Encoder:
        return self.network.encoder

    @property
    def dim(self) -> int:
        return self.encoder.dim

    def tokens(self, table: pd.DataFrame) -> np.ndarray:
        """Return the input sequences of a table's rows, (n, longest, channels)."""
        if self.reads not in INPUTS:
            raise InputError(
                f"this encoder reads {self.reads!r}, which feature tables do not contain: make the "
                "array with features.sequences.waves and give it to embed"
            )
        return INPUTS[self.reads](table)

    def embed(self, tokens: np.ndarray) -> np.ndarray:
        """(n, longest, channels) NaN-padded -> (n, dim); NaN for a row without a token."""
        tokens = checked_tokens(tokens, self.options["channels"])
        lengths = lengths_of(tokens)
        with deterministic_single_thread(0), torch.no_grad():
            vectors = self.encoder(torch.tensor(tokens), torch.tensor(lengths)).numpy()
        vectors[lengths == 0] = np.nan
        return vectors

    def reconstruct(self, tokens: np.ndarray, *, steps: int | None = None) -> np.ndarray:
        """Encode sequences and decode them again, in the units and the time order of the targets.

        (n, longest, channels) -> (n, longest or ``steps``, target channels), NaN after the end of
        each sequence. ``steps`` is the length to decode, if it differs from that of the input.
        """
        tokens = checked_tokens(tokens, self.options["channels"])
        lengths = lengths_of(tokens)
        decoded_lengths = lengths if steps is None else np.full(len(tokens), steps)
        longest = tokens.shape[1] if steps is None else steps
        with deterministic_single_thread(0), torch.no_grad():
            decoded = self.network(torch.tensor(tokens), torch.tensor(lengths), max(longest, 1))
            decoded = decoded * self.standardise.scale + self.standardise.mean
        within = np.arange(longest) < decoded_lengths[:, None]
        values = np.where(within[..., None], decoded.numpy()[:, :longest], np.nan)
        return in_writing_order(values, self.order)

    def gates(self, sequence: np.ndarray) -> Gates:
        """Compute the LSTM gates over one sequence: (time, channels) -> (steps, hidden) each.

        They are those of the first layer, forward. A step is a token, or several with ``strides``.
        """
        sequence = checked_tokens(np.asarray(sequence)[None], self.options["channels"])
        return self.encoder.gates(sequence[0, : lengths_of(sequence)[0]])

    def save(self, folder: str | Path) -> Path:
        """Write config.json and model.safetensors."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"standardise.{k}": v for k, v in self.standardise.state_dict().items()}
        trained_on = self.trained_on
        if not isinstance(trained_on, str):
            trained_on = {d: [str(s) for s in people] for d, people in trained_on.items()}
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
    """Load the pretrained encoders of a head and of its parts."""
    params = head.get_params().items()
    folders = [value for name, value in params if name.rpartition("__")[2] == "encoder"]
    return [load_encoder(folder) for folder in folders if folder is not None]


def load_encoder(folder: str | Path) -> Pretrained:
    """Load a pretrained encoder from its folder.

    Raises
    ------
    InputError
        The folder contains no encoder, or damaged files.
    """
    config = read_config(folder)
    if config.get("kind") != KIND:
        raise InputError(
            f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, want an encoder: make "
            "one with `emotion-rppg train encoder`"
        )
    check_entries(config, _RULES, f"config.json in {str(folder)!r}")
    options = dict(config["options"])
    facts = [config[name] for name in ("trained_on", "training", "reads", "order")]
    modules = restored(
        lambda: nn.ModuleDict(dict(zip(_PARTS, build(**options), strict=True))),
        load_tensors(folder),
        str(folder),
    ).eval()
    network, standardise = (getattr(modules, name) for name in _PARTS)
    return Pretrained(network, standardise, options, *facts)

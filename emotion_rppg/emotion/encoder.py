"""An encoder taught without labels: the first half of a sequence-to-sequence autoencoder.

Beat sequence → encoder → one vector → decoder, which must write the sequence again from the vector
alone. The vectors become the table's columns ``emb_000`` …
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emotion_rppg import __version__
from emotion_rppg.checkpoints import (
    CONFIG,
    load_state,
    load_tensors,
    read_config,
    save_tensors,
    whole_folder,
    write_json,
)
from emotion_rppg.emotion.networks import (
    Encoder,
    Standardise,
    lengths_of,
    small_and_repeatable,
    start,
)
from emotion_rppg.errors import InputError

__all__ = ["Encoder", "Pretrained", "load_encoder", "pretrain"]

KIND = "encoder"


class Autoencoder(nn.Module):
    """Encoder → vector → LSTM decoder that writes the sequence backwards (Srivastava et al. 2015).

    The decoder is given the vector at every step and never its own or the true earlier output, so
    whatever it writes must have passed through the vector.
    """

    def __init__(self, encoder: Encoder, channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.begin = nn.Linear(encoder.dim, encoder.dim)
        self.decoder = nn.LSTM(encoder.dim, encoder.dim, batch_first=True)
        self.write = nn.Linear(encoder.dim, channels)
        start(self.decoder)

    def forward(self, tokens: Tensor, lengths: Tensor, steps: int) -> Tensor:
        """(batch, time, channels), (batch,) -> (batch, steps, channels), last beat first."""
        return self.decode(self.encoder(tokens, lengths), steps)

    def decode(self, vector: Tensor, steps: int) -> Tensor:
        """(batch, dim) -> (batch, steps, channels)"""
        h = torch.tanh(self.begin(vector))[None]
        states, _ = self.decoder(
            vector[:, None].expand(-1, steps, -1), (h.contiguous(), torch.zeros_like(h))
        )
        return self.write(states)


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
        The encoder's keyword arguments and ``channels``, ``target_channels``.
    trained_on : dict or "unknown"
        ``{data set: [subjects]}``: whom it must not be tested on.
    losses : tuple of float
        Mean loss of each epoch.
    """

    network: Autoencoder
    standardise: Standardise
    options: dict[str, Any]
    trained_on: Mapping[str, Sequence[str]] | str
    losses: tuple[float, ...] = ()

    @property
    def encoder(self) -> Encoder:
        return self.network.encoder

    @property
    def dim(self) -> int:
        return self.encoder.dim

    def embed(self, tokens: np.ndarray) -> np.ndarray:
        """(n, longest, channels) NaN-padded -> (n, dim); NaN for a row without a token."""
        tokens = _checked(tokens, self.options["channels"])
        lengths = lengths_of(tokens)
        with small_and_repeatable(0), torch.no_grad():
            vectors = self.encoder(torch.tensor(tokens), torch.tensor(lengths)).numpy()
        vectors[lengths == 0] = np.nan
        return vectors

    def reconstruct(self, tokens: np.ndarray, *, steps: int | None = None) -> np.ndarray:
        """What the decoder writes from each sequence's vector, in the tokens' own units and order.

        (n, longest, channels) -> (n, longest, channels), NaN behind each sequence's end.
        ``steps`` is how many to write where the target's length is not the input's.
        """
        tokens = _checked(tokens, self.options["channels"])
        lengths = lengths_of(tokens)
        wanted = lengths if steps is None else np.full(len(tokens), steps)
        longest = tokens.shape[1] if steps is None else steps
        with small_and_repeatable(0), torch.no_grad():
            written = self.network(torch.tensor(tokens), torch.tensor(lengths), max(longest, 1))
            written = written * self.standardise.scale + self.standardise.mean
        out = np.full((len(tokens), longest, written.shape[2]), np.nan)
        for row, backwards, n in zip(out, written.numpy(), wanted, strict=True):
            row[:n] = backwards[:n][::-1]
        return out

    def save(self, folder: str | Path) -> Path:
        """Write config.json and model.safetensors."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"standardise.{k}": v for k, v in self.standardise.state_dict().items()}
        trained_on = self.trained_on
        if not isinstance(trained_on, str):
            trained_on = {d: [str(s) for s in who] for d, who in trained_on.items()}
        with whole_folder(folder) as fresh:
            save_tensors(fresh, tensors)
            config = {
                "kind": KIND,
                "options": self.options,
                "trained_on": trained_on,
                "training": {"losses": list(self.losses)},
                "version": __version__,
            }
            write_json(fresh / CONFIG, config)
        return Path(folder)


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
        trained_on = config["trained_on"]
        losses = tuple(config.get("training", {}).get("losses", ()))
        network, standardise = _build(**options)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(f"config.json in {str(folder)!r} is damaged: {error}") from error
    whole = nn.ModuleDict({"network": network, "standardise": standardise})
    load_state(whole, load_tensors(folder), str(folder))
    whole.eval()
    return Pretrained(network, standardise, options, trained_on, losses)


def pretrain(
    tokens: np.ndarray,
    *,
    trained_on: Mapping[str, Sequence[str]] | str,
    targets: np.ndarray | None = None,
    hidden: int = 32,
    cell: str = "lstm",
    layers: int = 1,
    bidirectional: bool = False,
    pooling: str = "last",
    epochs: int = 60,
    batch: int = 32,
    learning_rate: float = 5e-3,
    random_state: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Pretrained:
    """Fit an autoencoder to sequences without labels.

    Parameters
    ----------
    tokens : array (n, longest, channels)
        NaN-padded, as `features.sequences.tokens` makes them.
    trained_on : mapping or "unknown"
        ``{data set: [subjects]}`` of these sequences.
    targets : array (n, longest', channels'), optional
        What the decoder is to write, NaN-padded; its lengths may differ from the input's (the
        tachogram at 4 Hz, say). Default: the tokens themselves.
    progress : function of (epochs done, epochs in all), optional

    Raises
    ------
    InputError
        Fewer than two sequences with a token.
    """
    tokens = _checked(tokens, None)
    targets = tokens if targets is None else _checked(targets, None)
    if len(targets) != len(tokens):
        raise InputError(f"{len(targets)} targets for {len(tokens)} sequences: want one each")
    usable = (lengths_of(tokens) > 0) & (lengths_of(targets) > 0)
    if usable.sum() < 2:
        raise InputError(
            f"{int(usable.sum())} of {len(tokens)} sequences have a beat; want at least two"
        )
    tokens, targets = tokens[usable], targets[usable]
    options: dict[str, Any] = {
        "channels": tokens.shape[2],
        "target_channels": targets.shape[2],
        "hidden": hidden,
        "cell": cell,
        "layers": layers,
        "bidirectional": bidirectional,
        "pooling": pooling,
    }
    with small_and_repeatable(random_state):
        network, standardise = _build(**options)
        network.encoder.standardise.fit(torch.tensor(tokens))
        standardise.fit(torch.tensor(targets))
        wanted, seen = _backwards(standardise, targets)
        data = torch.utils.data.TensorDataset(
            torch.tensor(tokens), torch.tensor(lengths_of(tokens)), wanted, seen
        )
        losses = _train(
            network.float(),
            data,
            epochs=epochs,
            batch=batch,
            learning_rate=learning_rate,
            device=device,
            progress=progress,
        )
    return Pretrained(network.double().eval(), standardise, options, trained_on, losses)


def _train(
    network: nn.Module,
    data: torch.utils.data.TensorDataset,
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    device: str,
    progress: Callable[[int, int], None] | None,
) -> tuple[float, ...]:
    """The loop: shuffled batches, masked loss, gradients clipped to norm 1."""
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator=device, devices=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    model, optimizer = fabric.setup(network, optimizer)
    loader = fabric.setup_dataloaders(
        torch.utils.data.DataLoader(data, batch_size=batch, shuffle=True)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=epochs * len(loader)
    )
    within = _level_and_rest(*data.tensors[2:])[1].float().to(fabric.device).clamp(min=1e-3)
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for tokens, lengths, wanted, seen in loader:
            written = model(tokens.float(), lengths, wanted.shape[1])
            loss = _loss(written - wanted.float(), seen, within)
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(tokens)
        losses.append(total / len(data))
        if progress is not None:
            progress(epoch + 1, epochs)
    return tuple(losses)


def _level_and_rest(values: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Square of each sequence's mean, (batch, channels), and mean square around it, (channels,)."""
    values = values * seen
    n = seen.sum(1, keepdim=True)
    level = values.sum(1, keepdim=True) / n.clamp(min=1)
    rest = (values - level).square() * seen
    return level.square()[:, 0], rest.sum((0, 1)) / n.sum((0, 1)).clamp(min=1)


def _loss(error: Tensor, seen: Tensor, within: Tensor) -> Tensor:
    """Squared error of the sequences' levels, plus that of the waves around them.

    ``within`` (channels,) is the data's own variance around the levels: the second part is divided
    by it, for people's rates differ so much more than a rate varies that the plain squared error
    would be content with each sequence's mean.
    """
    level, rest = _level_and_rest(error, seen)
    return level.mean() + (rest / within).mean()


def _build(
    *, channels: int, target_channels: int, **encoder: Any
) -> tuple[Autoencoder, Standardise]:
    network = Autoencoder(Encoder(channels, **encoder), target_channels)
    return network.double(), Standardise(target_channels).double()


def _backwards(standardise: Standardise, targets: np.ndarray) -> tuple[Tensor, Tensor]:
    """Standardised targets, last beat first, and which of their values count."""
    turned = np.full_like(targets, np.nan)
    for row, out, n in zip(targets, turned, lengths_of(targets), strict=True):
        out[:n] = row[:n][::-1]
    values = torch.tensor(turned)
    return standardise(values), values.isfinite()


def _checked(tokens: np.ndarray, channels: int | None) -> np.ndarray:
    tokens = np.asarray(tokens, dtype=float)
    wanted = "channels" if channels is None else str(channels)
    if tokens.ndim != 3 or (channels is not None and tokens.shape[2] != channels):
        raise InputError(
            f"tokens have shape {tokens.shape}, want (sequences, longest, {wanted}): make them "
            "with features.sequences.tokens"
        )
    return np.where(np.isfinite(tokens), tokens, np.nan)

"""Pretrain an encoder without labels, as an autoencoder that reconstructs its input sequence.

A run that was killed resumes after its last complete epoch and ends with the same weights as an
uninterrupted one: the random draws of an epoch depend only on the seed and the number of the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emotion_rppg.emotion.deep.encoders import deterministic_single_thread
from emotion_rppg.emotion.deep.pretrained_encoder import Pretrained
from emotion_rppg.emotion.deep.seq2seq import (
    ORDERS,
    Autoencoder,
    build,
    checked_tokens,
    in_writing_order,
)
from emotion_rppg.emotion.design_matrix import lengths_of
from emotion_rppg.errors import InputError
from emotion_rppg.features.sequences import CHANNELS
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.runtime.devices import fabric_devices
from emotion_rppg.runtime.model_folders import load_training_state, save_training_state

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PretrainingConfig:
    """Settings of the network and of its training with Adam.

    Parameters
    ----------
    hidden, cell, layers, bidirectional, pooling, strides :
        As in `encoders.Encoder`.
    order : {"reverse", "forward"}
        Order in which the decoder writes. With ``"reverse"`` the last value comes first: it is the
        one that the encoder read most recently (Sutskever et al. 2014).
    scheduled_sampling : bool
        The decoder also receives the previous value: the true one with a probability that falls
        from 1 to 0 over the epochs, else its own (Bengio et al. 2015).
    masked : float
        Share of the tokens that are masked in the encoder's input, drawn again in each epoch. The
        decoder writes all of them.
    epochs, batch : int
        Passes over the sequences; sequences in a batch.
    learning_rate : float
        Maximum of the one-cycle schedule.
    seed : int
        Seed of the initial weights, the order of the batches and the masks.
    """

    hidden: int = 32
    cell: str = "lstm"
    layers: int = 1
    bidirectional: bool = False
    pooling: str = "last"
    strides: tuple[int, ...] = ()
    order: str = "reverse"
    scheduled_sampling: bool = False
    masked: float = 0.0
    epochs: int = 60
    batch: int = 32
    learning_rate: float = 5e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise InputError(f"unknown order {self.order!r}; known: {', '.join(ORDERS)}")
        if not 0 <= self.masked < 1:
            raise InputError(f"masked is {self.masked}, want a share from 0 to below 1")

    @property
    def encoder(self) -> dict[str, Any]:
        """Keyword arguments of `encoders.Encoder`."""
        names = ("hidden", "cell", "layers", "bidirectional", "pooling", "strides")
        return {name: getattr(self, name) for name in names}


def pretrain(
    tokens: np.ndarray,
    *,
    trained_on: Mapping[str, Sequence[str]] | str,
    targets: np.ndarray | None = None,
    reads: str = "beats",
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **recipe: Any,
) -> Pretrained:
    """Fit an autoencoder to sequences without labels.

    Parameters
    ----------
    tokens : array (n, longest, channels)
        NaN-padded, as `features.sequences` returns them.
    trained_on : mapping or "unknown"
        ``{data set: [subjects]}`` of these sequences. Evaluation does not test on these people.
    targets : array (n, longest', channels'), optional
        Sequences that the decoder reconstructs, NaN-padded. Their lengths may differ from those of
        the input (such as the tachogram at 4 Hz). Default: the tokens.
    reads : str
        Kind of the tokens: a name of `features.sequences.INPUTS`, or ``"wave"``.
    checkpoint : path, optional
        File of the state after each epoch; ``resume=True`` continues from it. The caller removes
        the file after saving the result.
    progress : function of (epochs done, epochs in all), optional
    **recipe :
        Fields of `PretrainingConfig`.

    Raises
    ------
    InputError
        Fewer than two sequences with a token; different numbers of tokens and targets; a checkpoint
        of another training.
    """
    settings = PretrainingConfig(**recipe)
    tokens = checked_tokens(tokens)
    targets = tokens if targets is None else checked_tokens(targets)
    if len(targets) != len(tokens):
        raise InputError(f"{len(targets)} targets for {len(tokens)} sequences: want one for each")
    usable = (lengths_of(tokens) > 0) & (lengths_of(targets) > 0)
    if usable.sum() < 2:
        raise InputError(
            f"{int(usable.sum())} of {len(tokens)} sequences have a beat, want at least two: give "
            "tables with beats (family 'sequence')"
        )
    tokens, targets = tokens[usable], targets[usable]
    options: dict[str, Any] = {
        "channels": tokens.shape[2],
        "target_channels": targets.shape[2],
        "feedback": settings.scheduled_sampling,
        **settings.encoder,
    }
    with deterministic_single_thread(settings.seed):
        network, standardise = build(**options)
        network.encoder.standardise.fit(torch.tensor(tokens))
        standardise.fit(torch.tensor(targets))
        values = torch.tensor(in_writing_order(targets, settings.order))
        data = torch.utils.data.TensorDataset(
            torch.tensor(tokens),
            torch.tensor(lengths_of(tokens)),
            standardise(values),
            values.isfinite(),
        )
        store = None
        if checkpoint is not None:
            identity = fingerprint("encoder", asdict(settings), reads, tokens, targets)
            store = Checkpoint(Path(checkpoint), str(identity), resume)
        follows = CHANNELS.index("difference_ms") if tokens.shape[2] == len(CHANNELS) else None
        losses = _train(network.float(), data, settings, follows, device, store, progress)
    training = {**asdict(settings), "losses": losses}
    return Pretrained(
        network.cpu().double().eval(),
        standardise,
        options,
        trained_on,
        training,
        reads,
        settings.order,
    )


@dataclass(frozen=True)
class Checkpoint:
    """File with the state after an epoch; ``identity`` is the digest of the training's inputs."""

    path: Path
    identity: str
    resume: bool

    def save(self, parts: Mapping[str, Any], losses: list[float]) -> None:
        state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
        save_training_state(self.path, self.identity, {**state, "losses": losses})

    def restore(self, parts: Mapping[str, Any]) -> list[float]:
        """Load the saved state into the parts, if there is one; return the losses of its epochs."""
        if not self.resume or not self.path.is_file():
            return []
        state = load_training_state(self.path, self.identity)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return [float(loss) for loss in state["losses"]]


def _train(
    network: Autoencoder,
    data: torch.utils.data.TensorDataset,
    recipe: PretrainingConfig,
    follows: int | None,
    device: str,
    store: Checkpoint | None,
    progress: Progress | None,
) -> list[float]:
    """Train with shuffled batches and gradients clipped to norm 1; return each epoch's loss."""
    from lightning_fabric import Fabric

    fabric = Fabric(**fabric_devices(device, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    model, optimizer = fabric.setup(network, optimizer)
    loader = fabric.setup_dataloaders(
        torch.utils.data.DataLoader(data, batch_size=recipe.batch, shuffle=True)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.epochs * len(loader)
    )
    variation = _mean_and_variation(*data.tensors[2:])[1].float().to(fabric.device).clamp(min=1e-3)
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule}
    losses = store.restore(parts) if store is not None else []
    for epoch in range(len(losses), recipe.epochs):
        torch.manual_seed(int(np.random.SeedSequence((recipe.seed, epoch)).generate_state(1)[0]))
        total = 0.0
        for tokens, lengths, targets, present in loader:
            visible = _mask_tokens(tokens.float(), recipe.masked, follows)
            truth = targets.float()
            sampling = (truth, 1 - epoch / recipe.epochs) if recipe.scheduled_sampling else ()
            error = model(visible, lengths, truth.shape[1], *sampling) - truth
            loss = _loss(error, present, variation)
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(tokens)
        losses.append(total / len(data))
        if store is not None:
            store.save(parts, losses)
        if progress is not None:
            progress(epoch + 1, recipe.epochs)
    return losses


def _mask_tokens(tokens: Tensor, share: float, follows: int | None) -> Tensor:
    """Replace a share of the tokens by NaN: (batch, time, channels) -> the same shape.

    ``follows`` is the channel of differences from the previous token. It is masked in the next
    token, too, because it would reveal the masked value.
    """
    if not share:
        return tokens
    masked = torch.rand(tokens.shape[:2], device=tokens.device) < share
    tokens = tokens.masked_fill(masked[..., None], torch.nan)
    if follows is not None:
        tokens[:, 1:, follows] = tokens[:, 1:, follows].masked_fill(masked[:, :-1], torch.nan)
    return tokens


def _mean_and_variation(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the squared mean of each sequence, and the mean square around it of all sequences.

    (batch, time, channels) twice -> (batch, channels), (channels,)
    """
    values = values * present
    n = present.sum(1, keepdim=True)
    mean = values.sum(1, keepdim=True) / n.clamp(min=1)
    around = (values - mean).square() * present
    return mean.square()[:, 0], around.sum((0, 1)) / n.sum((0, 1)).clamp(min=1)


def _loss(error: Tensor, present: Tensor, variation: Tensor) -> Tensor:
    """Add the squared error of the sequences' means and that of the variation around them.

    ``variation`` (channels,) is the variance of the data around the means, by which the second
    part is divided: heart rates differ much more between people than within a sequence, so a plain
    squared error would be small for a decoder that writes only the mean of each sequence.
    """
    mean, around = _mean_and_variation(error, present)
    return mean.mean() + (around / variation).mean()

"""Teach an encoder without labels: what was read is to be written again from its vector alone.

A run that was killed goes on after its last whole epoch and ends with the same weights as one
that was not: whatever an epoch draws is drawn from its own number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emotion_rppg.emotion.deep.encoders import deterministic_single_thread, lengths_of
from emotion_rppg.emotion.deep.pretrained_encoder import Pretrained
from emotion_rppg.emotion.deep.seq2seq import ORDERS, Autoencoder, build, checked, turned
from emotion_rppg.errors import InputError
from emotion_rppg.features.sequences import CHANNELS
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.runtime.devices import fabric_devices
from emotion_rppg.runtime.model_folders import load_training_state, save_training_state

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """What is trained and how.

    ``hidden`` to ``strides`` are those of `networks.Encoder`. ``order``: the decoder writes the
    last value first (``"reverse"``, what was read last is nearest; Sutskever et al. 2014) or
    ``"forward"``. ``scheduled_sampling``: the decoder is also given the value before, the true one
    with a probability that falls from 1 to 0 over the epochs (Bengio et al. 2015). ``masked``:
    share of the tokens that are hidden from the encoder, anew in every epoch; all are to be
    written. Adam, one-cycle learning rate up to ``learning_rate``.
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
            raise InputError(f"masked is a share, 0 to below 1, got {self.masked}")

    @property
    def encoder(self) -> dict[str, Any]:
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
        NaN-padded, as `features.sequences` makes them.
    trained_on : mapping or "unknown"
        ``{data set: [subjects]}`` of these sequences.
    targets : array (n, longest', channels'), optional
        What the decoder is to write, NaN-padded; its lengths may differ from the input's (the
        tachogram at 4 Hz, say). Default: the tokens themselves.
    reads : str
        What the tokens are: a name of `features.sequences.INPUTS`, or ``"wave"``.
    checkpoint : path, optional
        Where the state after each epoch is kept; ``resume=True`` goes on from there. Whoever
        gave the path removes the file when the result is safe.
    progress : function of (epochs done, epochs in all), optional
    **recipe :
        As of `Recipe`.

    Raises
    ------
    InputError
        Fewer than two sequences with a token; a checkpoint of another training.
    """
    how = Recipe(**recipe)
    tokens = checked(tokens)
    targets = tokens if targets is None else checked(targets)
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
        "feedback": how.scheduled_sampling,
        **how.encoder,
    }
    with deterministic_single_thread(how.seed):
        network, standardise = build(**options)
        network.encoder.standardise.fit(torch.tensor(tokens))
        standardise.fit(torch.tensor(targets))
        values = torch.tensor(turned(targets, how.order))
        data = torch.utils.data.TensorDataset(
            torch.tensor(tokens),
            torch.tensor(lengths_of(tokens)),
            standardise(values),
            values.isfinite(),
        )
        kept = None
        if checkpoint is not None:
            identity = fingerprint("encoder", asdict(how), reads, tokens, targets)
            kept = Checkpoint(Path(checkpoint), str(identity), resume)
        follows = CHANNELS.index("difference_ms") if tokens.shape[2] == len(CHANNELS) else None
        losses = _train(network.float(), data, how, follows, device, kept, progress)
    training = {**asdict(how), "losses": losses}
    return Pretrained(
        network.cpu().double().eval(), standardise, options, trained_on, training, reads, how.order
    )


@dataclass(frozen=True)
class Checkpoint:
    """The state after an epoch, on disk; ``identity`` tells which training it belongs to."""

    path: Path
    identity: str
    resume: bool

    def keep(self, parts: Mapping[str, Any], losses: list[float]) -> None:
        state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
        save_training_state(self.path, self.identity, {**state, "losses": losses})

    def restore(self, parts: Mapping[str, Any]) -> list[float]:
        """Set the parts to what was kept, if anything was; the losses of the epochs done."""
        if not self.resume or not self.path.is_file():
            return []
        state = load_training_state(self.path, self.identity)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return [float(loss) for loss in state["losses"]]


def _train(
    network: Autoencoder,
    data: torch.utils.data.TensorDataset,
    how: Recipe,
    follows: int | None,
    device: str,
    kept: Checkpoint | None,
    progress: Progress | None,
) -> list[float]:
    """The loop: shuffled batches, masked loss, gradients clipped to norm 1."""
    from lightning_fabric import Fabric

    fabric = Fabric(**fabric_devices(device, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=how.learning_rate)
    model, optimizer = fabric.setup(network, optimizer)
    loader = fabric.setup_dataloaders(
        torch.utils.data.DataLoader(data, batch_size=how.batch, shuffle=True)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, how.learning_rate, total_steps=how.epochs * len(loader)
    )
    within = _level_and_rest(*data.tensors[2:])[1].float().to(fabric.device).clamp(min=1e-3)
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule}
    losses = kept.restore(parts) if kept is not None else []
    for epoch in range(len(losses), how.epochs):
        torch.manual_seed(int(np.random.SeedSequence((how.seed, epoch)).generate_state(1)[0]))
        total = 0.0
        for tokens, lengths, wanted, seen in loader:
            shown, truth = _hidden(tokens.float(), how.masked, follows), wanted.float()
            told = (truth, 1 - epoch / how.epochs) if how.scheduled_sampling else ()
            loss = _loss(model(shown, lengths, truth.shape[1], *told) - truth, seen, within)
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(tokens)
        losses.append(total / len(data))
        if kept is not None:
            kept.keep(parts, losses)
        if progress is not None:
            progress(epoch + 1, how.epochs)
    return losses


def _hidden(tokens: Tensor, share: float, follows: int | None) -> Tensor:
    """Tokens of which a share is NaN; so is the channel that would tell them from the next one."""
    if not share:
        return tokens
    gone = torch.rand(tokens.shape[:2], device=tokens.device) < share
    tokens = tokens.masked_fill(gone[..., None], torch.nan)
    if follows is not None:
        tokens[:, 1:, follows] = tokens[:, 1:, follows].masked_fill(gone[:, :-1], torch.nan)
    return tokens


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

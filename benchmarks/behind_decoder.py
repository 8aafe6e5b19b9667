"""Train an LSTM behind PhysNet's decoder: a better wave, or an estimate of how sure it is?

``python -m benchmarks.behind_decoder [CLIPS]`` (default 1,600; about fifteen minutes on one core).
The bundled network stays fixed. A bidirectional LSTM reads its decoder's features and gives two
numbers a sample: a correction of the wave, trained by Pearson's r, and the certainty, trained by
the likelihood that the wave around the sample follows the truth. An eighth of the clips, drawn at
random, is for the test.
Printed: r with and without the correction, and how well the certainty separates right heart rates
and right beats from wrong ones, beside the quality of the wave alone (AUC). Clips are synthetic, a
seventh of them without a pulse: the results compare estimators and are no evidence about faces.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_rppg import Signal, find_beats
from emotion_rppg.pulse.inference.trained_network import BUNDLED
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.networks.physnet import PhysNet
from emotion_rppg.pulse.training.clips import as_tensors, synthetic_clips
from emotion_rppg.pulse.training.config import TrainingConfig
from emotion_rppg.pulse.training.losses import negative_pearson, peakedness, slopes
from emotion_rppg.runtime.model_folders import load_state, load_tensors
from emotion_rppg.signal_quality import heart_rate, judge, sample_quality

CLIPS, FRAMES, SIZE, RATE_HZ = 1600, 256, 32, 30.0
SEED, EPOCHS, BATCH, HIDDEN = 61, 25, 24, 24
CROPPED = 64  # frames: clips of an epoch begin at random within so many
AROUND = 32  # frames before and after a sample in which the wave is compared with the truth
TESTED = 1 / 8
NEAR_BPM, NEAR_S, BESIDE_S = 3.0, 0.06, 0.5


class BehindDecoder(nn.Module):
    """(batch, 64, frames) -> correction of the wave and log-odds of certainty, (batch, frames)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(64)
        self.recurrent = nn.LSTM(64, HIDDEN, batch_first=True, bidirectional=True)
        self.last = nn.Linear(2 * HIDDEN, 2)
        nn.init.zeros_(self.last.weight)  # training starts from the wave as it is
        nn.init.zeros_(self.last.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, 64, frames) -> two of (batch, frames)."""
        correction, certainty = self.last(
            self.recurrent(self.norm(features).transpose(1, 2))[0]
        ).unbind(-1)
        return correction, certainty


def bundled() -> PhysNet:
    """Load the bundled network, eval mode."""
    network = PhysNet(normalisation="temporal")
    load_state(network, load_tensors(BUNDLED["physnet"]), "the bundled network")
    return network.eval()


@torch.no_grad()
def features_of(network: PhysNet, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw clips; return features (n, 64, frames), the network's waves and the true waves."""
    config = TrainingConfig(
        network="physnet", normalisation="temporal", size=SIZE, frames=FRAMES, steps=count,
        batch_size=1, varied=0.75, rendered=0.5, close_ups=0.15, pulseless=0.3, seed=SEED,
    )  # fmt: skip
    source, _ = synthetic_clips(config)
    features, truths = [], []
    for index in range(count):
        clip, truth = as_tensors(source(index))
        decoded = network.decoded(NORMALISATIONS["temporal"](clip[None]))
        features.append(decoded[0, :, :, 0, 0])
        truths.append(truth)
    stacked = torch.stack(features)
    waves = network.ConvBlock10(stacked[..., None, None]).flatten(1)
    return stacked, waves, torch.stack(truths)


def agreement(waves: Tensor, truths: Tensor) -> Tensor:
    """Compute r² of waves and truths around each sample, 0 without a pulse or below zero."""

    def mean(x: Tensor) -> Tensor:
        return functional.avg_pool1d(
            x[:, None], 2 * AROUND + 1, 1, AROUND, count_include_pad=False
        )[:, 0]

    ours, theirs = mean(waves), mean(truths)
    both = mean(waves * truths) - ours * theirs
    power = (mean(waves**2) - ours**2) * (mean(truths**2) - theirs**2)
    return (both / power.clamp_min(1e-9).sqrt()).clamp(0, 1).square()


def train(features: Tensor, waves: Tensor, truths: Tensor) -> BehindDecoder:
    """Train the LSTM on clips."""
    torch.manual_seed(0)
    module, target = BehindDecoder(), agreement(waves, truths)
    optimiser = torch.optim.Adam(module.parameters())
    steps = EPOCHS * (len(features) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps + 1)
    for rows, part in _batches(len(features)):
        correction, certainty = module(features[rows][..., part])
        found, truth = waves[rows][:, part] + correction, truths[rows][:, part]
        loss = functional.binary_cross_entropy_with_logits(certainty, target[rows][:, part])
        pulse = (truth != 0).any(-1)
        if bool(pulse.any()):
            loss = loss + negative_pearson(found[pulse], truth[pulse])
            loss = loss + slopes(found[pulse], truth[pulse])
        if not bool(pulse.all()):
            loss = loss + peakedness(found[~pulse], truth[~pulse], RATE_HZ)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return module.eval()


def _batches(count: int) -> Iterator[tuple[Tensor, slice]]:
    """Yield the clips of each step and the frames of them that are used."""
    for _ in range(EPOCHS):
        for rows in torch.randperm(count).split(BATCH):
            first = int(torch.randint(CROPPED + 1, ()))
            if len(rows) == BATCH:
                yield rows, slice(first, first + FRAMES - CROPPED)


# ---- what it is worth --------------------------------------------------------------------------


def rates(waves: Tensor, truths: Tensor, certainty: np.ndarray) -> np.ndarray:
    """Compare heart rates of clips: rows of (rate right, quality, certainty)."""
    rows = []
    for wave, truth, sure in zip(waves, truths, certainty, strict=True):
        signal = _signal(wave)
        error = abs(heart_rate(signal) - heart_rate(_signal(truth))) if bool(truth.any()) else 99.0
        rows.append((error <= NEAR_BPM, judge(signal).quality, sure.mean()))
    return np.array(rows, dtype=float)


def beats(waves: Tensor, truths: Tensor, certainty: np.ndarray) -> np.ndarray:
    """Compare accepted beats: rows of (beat right, quality, certainty)."""
    rows = []
    for wave, truth, sure in zip(waves, truths, certainty, strict=True):
        signal, true_s = _signal(wave), np.array([np.inf])
        if bool(truth.any()):
            true_s = np.r_[true_s, find_beats(_signal(truth)).times_s]
        quality, times_s = sample_quality(signal), np.arange(len(wave)) / RATE_HZ
        for beat in find_beats(signal).times_s:
            beside = np.abs(times_s - beat) <= BESIDE_S
            right = np.abs(true_s - beat).min() <= NEAR_S
            rows.append((right, quality[np.abs(times_s - beat).argmin()], sure[beside].mean()))
    return np.array(rows, dtype=float)


def _signal(wave: Tensor) -> Signal:
    return Signal(wave.numpy().astype(float), RATE_HZ, kind="rppg")


def main(count: int) -> None:
    """Print what the LSTM changes."""
    from sklearn.metrics import roc_auc_score

    torch.set_num_threads(1)
    features, waves, truths = features_of(bundled(), count)
    test = torch.rand(count, generator=torch.Generator().manual_seed(0)) < TESTED
    module = train(features[~test], waves[~test], truths[~test])
    with torch.no_grad():
        correction, certainty = module(features[test])
    waves, truths, sure = waves[test], truths[test], certainty.sigmoid().numpy()
    pulse = truths.any(-1)
    plain, corrected = (
        1 - torch.stack([negative_pearson(a[None], b[None]) for a, b in zip(x, y, strict=True)])
        for x, y in ((waves[pulse], truths[pulse]), ((waves + correction)[pulse], truths[pulse]))
    )
    print(f"{int(test.sum())} test clips, {int(pulse.sum())} with a pulse\n")
    print("| measure | network | with the LSTM |\n|---|---|---|")
    print(f"| r, median | {plain.median():.3f} | {corrected.median():.3f} |")
    print(f"| r, mean | {plain.mean():.3f} | {corrected.mean():.3f} |")
    for name, table in (
        ("rates", rates(waves, truths, sure)),
        ("beats", beats(waves, truths, sure)),
    ):
        right, quality, certain = table.T
        values = (roc_auc_score(right, x) for x in (quality, certain))
        label = f"AUC of {len(right)} {name}, {right.mean():.0%} right: quality, certainty"
        print(f"| {label} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CLIPS)

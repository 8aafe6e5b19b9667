"""Finished folds on disk, so that an evaluation that was stopped goes on where it stopped."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.emotion.deep.pretrained_encoder import pretrained_encoders_of
from emotion_rppg.evaluation.jobs import FoldPrediction, Job, run_job
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import code_digest, fingerprint

if TYPE_CHECKING:
    from emotion_rppg.emotion.deep.pretrained_encoder import Pretrained


def key(job: Job, inputs: str) -> str:
    """Of everything that a job's numbers depend on; ``inputs`` is :func:`digest` of its matrix."""
    # the head by its class and parameters: two settings of one head are two results
    head = f"{type(job.head).__module__}.{type(job.head).__name__} {job.head!r}"
    parameters = sorted(f"{k}={v!r}" for k, v in job.head.get_params().items())
    parameters += [
        str(fingerprint(e.options, *_numbers(e))) for e in pretrained_encoders_of(job.head)
    ]
    text = f"{code_digest()} {job.name} {head} {parameters} {job.classes} {job.seed} {inputs}"
    text += f" {job.blind}"
    digest = hashlib.sha256(text.encode())
    others = [part for part in (job.others, job.reference) if part is not None]
    names = "\n".join(map(str, job.groups)).encode()
    for part in (job.y, job.train, job.test, job.usable, names, *others):
        digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _numbers(encoder: Pretrained) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in encoder.encoder.state_dict().values()]


def digest(job: Job) -> str:
    """Of the matrix that jobs share."""
    found = hashlib.sha256(np.ascontiguousarray(job.inputs.X).tobytes())
    found.update(f"{job.inputs.names} {job.inputs.n_token_channels}".encode())
    return found.hexdigest()


def read(kept: Cache, name: str) -> FoldPrediction | None:
    """What was kept under that key, or None; a damaged file counts as none."""
    import pandas as pd

    table = kept.get(name)
    if not isinstance(table, pd.DataFrame):
        return None
    said = table.drop(columns=["predicted", "chosen"]).to_numpy()
    return FoldPrediction(table["predicted"].to_numpy(), said, table["chosen"].iloc[0])


def run_and_keep(job: Job, kept: Cache | None, name: str) -> FoldPrediction:
    """Run the job and, where there is a place, keep what it said, whole or not at all."""
    import pandas as pd

    said = run_job(job)
    if kept is not None:
        table = pd.DataFrame(said.chances, columns=[f"p_{k}" for k in range(said.chances.shape[1])])
        kept.put(name, table.assign(predicted=said.predicted, chosen=said.chosen))
    return said

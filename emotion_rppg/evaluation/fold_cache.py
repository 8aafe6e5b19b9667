"""Cache finished folds on disk, so that a stopped evaluation continues where it stopped."""

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
    """Compute a job's cache key, SHA-256 in hex, from everything that its numbers depend on.

    ``inputs`` is the :func:`digest` of its matrix.
    """
    # class and parameters of the head: two settings of one head are two results
    head = f"{type(job.head).__module__}.{type(job.head).__name__} {job.head!r}"
    parameters = sorted(f"{k}={v!r}" for k, v in job.head.get_params().items())
    parameters += [
        str(fingerprint(encoder.options, *_weights(encoder)))
        for encoder in pretrained_encoders_of(job.head)
    ]
    text = f"{code_digest()} {job.name} {head} {parameters} {job.classes} {job.seed} {inputs}"
    text += f" {job.blind}"
    digest = hashlib.sha256(text.encode())
    arrays = [part for part in (job.others, job.reference) if part is not None]
    names = "\n".join(map(str, job.groups)).encode()
    for part in (job.y, job.train, job.test, job.usable, names, *arrays):
        digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _weights(encoder: Pretrained) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in encoder.encoder.state_dict().values()]


def digest(job: Job) -> str:
    """Compute the SHA-256 of a job's feature matrix, which many jobs share."""
    sha = hashlib.sha256(np.ascontiguousarray(job.inputs.X).tobytes())
    sha.update(f"{job.inputs.names} {job.inputs.n_token_channels}".encode())
    return sha.hexdigest()


def read(cache: Cache, name: str) -> FoldPrediction | None:
    """Read the result cached under a key; None where there is none or its file is damaged."""
    import pandas as pd

    table = cache.get(name)
    if not isinstance(table, pd.DataFrame):
        return None
    probabilities = table.drop(columns=["predicted", "chosen"]).to_numpy()
    return FoldPrediction(table["predicted"].to_numpy(), probabilities, table["chosen"].iloc[0])


def run_and_cache(job: Job, cache: Cache | None, name: str) -> FoldPrediction:
    """Run the job and cache its result, complete or not at all; without a cache only run it."""
    import pandas as pd

    result = run_job(job)
    if cache is not None:
        columns = [f"p_{k}" for k in range(result.probabilities.shape[1])]
        table = pd.DataFrame(result.probabilities, columns=columns)
        cache.put(name, table.assign(predicted=result.predicted, chosen=result.chosen))
    return result

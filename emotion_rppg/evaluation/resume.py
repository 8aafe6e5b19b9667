"""Finished folds on disk, so that an evaluation that was stopped goes on where it stopped."""

from __future__ import annotations

import hashlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from emotion_rppg import __version__
from emotion_rppg.checkpoints import whole_file
from emotion_rppg.evaluation.fitting import Job, Said, run_job


def key(job: Job, inputs: str) -> str:
    """Of everything that a job's numbers depend on; ``inputs`` is :func:`digest` of its matrix."""
    # the head by its class and parameters: two settings of one head are two results
    head = f"{type(job.head).__module__}.{type(job.head).__name__} {job.head!r}"
    parameters = sorted(f"{k}={v!r}" for k, v in job.head.get_params().items())
    text = f"{__version__} {job.name} {head} {parameters} {job.classes} {job.seed} {inputs}"
    digest = hashlib.sha256(text.encode())
    for part in (job.y, job.train, job.test, job.usable, "\n".join(map(str, job.groups)).encode()):
        digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def digest(job: Job) -> str:
    """Of the matrix that all jobs share."""
    found = hashlib.sha256(np.ascontiguousarray(job.inputs.X).tobytes())
    found.update(f"{job.inputs.names} {job.inputs.n_token_channels}".encode())
    return found.hexdigest()


def read(folder: Path, name: str) -> Said | None:
    """What was kept under that key, or None; a damaged file counts as none."""
    try:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as kept:
            return Said(kept["predicted"], kept["chances"], str(kept["chosen"]))
    except (OSError, ValueError, KeyError, BadZipFile):
        return None


def run_and_keep(job: Job, folder: Path | None, name: str) -> Said:
    """Run the job and, where there is a folder, keep what it said, whole or not at all."""
    said = run_job(job)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / f"{name}.npz") as fresh, fresh.open("wb") as file:
            np.savez(file, predicted=said.predicted, chances=said.chances, chosen=said.chosen)
    return said

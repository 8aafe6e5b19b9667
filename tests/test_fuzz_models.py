"""Damaged model folders: each is loaded and predicts, or raises InputError; none crashes.

`tests/fuzzing.py` says how files are damaged, and how many. The entries of a JSON file are also
replaced by odd values, and the digest of a damaged head is corrected, as a stranger would.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_rppg import fit
from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder
from emotion_rppg.emotion.deep.pretraining import pretrain
from emotion_rppg.emotion.model import BUNDLED, load_model
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.result import SETTINGS, Evaluation
from emotion_rppg.pulse.inference.trained_network import load_module
from emotion_rppg.pulse.networks import save_network
from emotion_rppg.pulse.networks.physnet import PhysNet, load_public
from tests.fuzzing import damages, fuzzed, survives

ODD = (None, True, -1, 0, 1e308, 10**30, "", "x", [], {}, [None], {"a": 1}, float("nan"), "../../x")
ODD += ([[[]]], ["hr_bpm"], 4096, "1e9", [1e308] * 3)


# ---- folders ---------------------------------------------------------------------------------


def _pulse(folder: Path) -> None:
    folder.mkdir()
    save_network(
        folder,
        PhysNet(),
        network="physnet",
        options={},
        rate_hz=30.0,
        size=16,
        normalisation="diff_normalised",
        trained_on={"synthetic": ["1"]},
        training={},
    )


def _encoder(folder: Path) -> None:
    beats = np.random.default_rng(0).normal(size=(4, 9, 5))
    pretrain(beats, trained_on={"d": ["1"]}, hidden=3, epochs=1).save(folder)


def _table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    rows = np.arange(24)
    return pd.DataFrame(
        {
            "dataset": "d",
            "subject": (rows // 6).astype(str),
            "session": "1",
            "trial": rows.astype(str),
            "start_s": 0.0,
            "duration_s": 60.0,
            "source": "bvp",
            "label_arousal": np.where(rows % 2, 8.0, 2.0),
            "scale_arousal": "1..9",
            "hr_bpm": draw.normal(70, 9, 24),
            "rmssd_ms": draw.normal(40, 9, 24),
            "seq_ibi_ms": "800 810 790 805 800 790",
        }
    )


TABLE = _table()


def _emotion(head: str) -> Callable[[Path], None]:
    return lambda folder: fit(TABLE, target="arousal", head=head).save(folder)


def _bundled(folder: Path) -> None:
    shutil.copytree(BUNDLED["stress"], folder)


def _checkpoint(folder: Path) -> None:
    import torch

    folder.mkdir()
    torch.save(PhysNet().state_dict(), folder / "x.pth")


def _evaluation(folder: Path) -> None:
    from emotion_rppg import evaluate

    result = evaluate(TABLE, target="arousal", heads=["logistic"], permutations=0)
    result.save(folder)


# ---- what is done with them --------------------------------------------------------------------


def _read_pulse(folder: Path) -> None:
    module, config = load_module(folder)
    clip = np.zeros((1, 3, 16, *[min(int(config["size"]), 32)] * 2), dtype=np.float32)
    import torch

    with torch.inference_mode():
        module(torch.from_numpy(clip))


def _predict(folder: Path) -> None:
    load_model(folder).predict(TABLE)


def _redigest(folder: Path) -> None:
    """Correct the digest in the description of each head."""
    for path in folder.glob("*.json"):
        try:
            facts = json.loads(path.read_text())
            facts["sha256"] = hashlib.sha256((folder / facts["file"]).read_bytes()).hexdigest()
        except (ValueError, KeyError, TypeError, OSError):
            continue
        path.write_text(json.dumps(facts))


Made = tuple[Callable[[Path], None], str, Callable[[Path], object]]
# what is damaged -> function that writes its folder, the file, function that reads the folder
FOLDERS: dict[str, Made] = {
    "pulse config": (_pulse, "config.json", _read_pulse),
    "pulse weights": (_pulse, "model.safetensors", _read_pulse),
    "encoder config": (_encoder, "config.json", load_encoder),
    "encoder weights": (_encoder, "model.safetensors", load_encoder),
    "emotion config": (_emotion("logistic"), "config.json", _predict),
    "emotion head": (_emotion("logistic"), "arousal.json", _predict),
    "emotion weights": (_emotion("logistic"), "arousal.skops", _predict),
    "trees": (_emotion("forest"), "arousal.skops", _predict),
    "network head": (_emotion("lstm"), "arousal.json", _predict),
    "network weights": (_emotion("lstm"), "arousal.safetensors", _predict),
    "checkpoint": (_checkpoint, "x.pth", lambda folder: load_public(folder / "x.pth")),
    "evaluation": (_evaluation, SETTINGS, Evaluation.load),
}


@st.composite
def entries(draw: Any) -> Callable[[bytes], bytes]:
    """Draw a function that replaces an entry of a JSON object, at any depth."""
    where, value = (
        draw(st.lists(st.integers(0, 40), min_size=1, max_size=4)),
        draw(st.sampled_from(ODD)),
    )

    def damage(raw: bytes) -> bytes:
        content = json.loads(raw)
        part = content
        for k, step in enumerate(where):
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            key = keys[step % len(keys)]
            inner = part[key]
            if k == len(where) - 1 or not isinstance(inner, dict | list) or not inner:
                part[key] = value
                break
            part = inner
        return json.dumps(content).encode()

    return damage


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_used_or_refused_whatever_its_bytes(name, tmp_path) -> None:
    make, file, read = FOLDERS[name]
    folder = tmp_path / "model"
    make(folder)
    raw = (folder / file).read_bytes()
    others = {path: path.read_bytes() for path in folder.glob("*.json")}
    read(folder)
    either = damages() | entries() if file.endswith(".json") else damages()

    @fuzzed(8)
    @given(damage=either)
    def any_input(damage: Callable[[bytes], bytes]) -> None:
        for path, content in others.items():
            path.write_bytes(content)
        (folder / file).write_bytes(damage(raw))
        _redigest(folder)
        survives(lambda: read(folder))

    any_input()


def test_a_head_whose_digest_a_stranger_corrected_is_read_again(tmp_path) -> None:
    """The digest guards against damage, not against strangers: these tests go past it."""
    folder = tmp_path / "model"
    _bundled(folder)
    (folder / "stress.skops").write_bytes(b"x")
    with pytest.raises(InputError, match="damaged or was replaced"):
        load_model(folder)
    _redigest(folder)
    with pytest.raises(InputError, match="is damaged"):
        load_model(folder)

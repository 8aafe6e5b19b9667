"""Model folders are written atomically, damage is reported, and nothing loaded runs code."""

import json
import os
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from emotion_rppg.errors import InputError
from emotion_rppg.runtime import atomic_files
from emotion_rppg.runtime.atomic_files import atomic_folder, check_folder, write_json
from emotion_rppg.runtime.model_folders import load_state, load_tensors, read_config, save_tensors


def write_model(folder, note: str) -> None:
    with atomic_folder(folder) as fresh:
        write_json(fresh / "config.json", {"kind": "pulse", "version": "0", "note": note})
        save_tensors(fresh, {"w": torch.full((3,), float(len(note)))})


def test_a_model_is_read_back_and_replaced_completely(tmp_path) -> None:
    folder = tmp_path / "deep" / "model"
    write_model(folder, "old")
    (folder / "curve.csv").write_text("step,loss\n")
    write_model(folder, "newer")
    assert read_config(folder)["note"] == "newer"
    assert load_tensors(folder)["w"].tolist() == [5.0] * 3
    assert not (folder / "curve.csv").exists()
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_a_failure_leaves_the_old_model_and_no_temporary_files(tmp_path) -> None:
    write_model(tmp_path / "model", "old")

    def broken() -> None:
        with atomic_folder(tmp_path / "model") as fresh:
            (fresh / "config.json").write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        broken()
    assert read_config(tmp_path / "model")["note"] == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_kill_while_the_old_model_is_removed_loses_nothing(tmp_path, monkeypatch) -> None:
    write_model(tmp_path / "model", "old")

    def dies(*_args, **_options) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic_files.shutil, "rmtree", dies)
    with pytest.raises(KeyboardInterrupt):
        write_model(tmp_path / "model", "newer")
    assert read_config(tmp_path / "model")["note"] == "newer"
    assert load_tensors(tmp_path / "model")["w"].shape == (3,)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_still_points_to_the_model(tmp_path) -> None:
    write_model(tmp_path / "disk" / "model", "old")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "model")
    write_model(tmp_path / "link", "newer")
    assert (tmp_path / "link").is_symlink()
    assert read_config(tmp_path / "disk" / "model")["note"] == "newer"


def test_a_folder_of_the_user_is_refused_before_any_work(tmp_path) -> None:
    (tmp_path / "thesis.tex").write_text("three years")
    with pytest.raises(InputError, match="is not an output"):
        check_folder(tmp_path)
    with pytest.raises(InputError, match="is not an output"), atomic_folder(tmp_path):
        pytest.fail("the block must not run")
    assert (tmp_path / "thesis.tex").exists()
    check_folder(tmp_path / "new")


def test_missing_and_damaged_files_are_reported(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        read_config(tmp_path)
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        load_tensors(tmp_path)
    for content, words in ((b"{", "is not JSON"), (b"\xff\xfe", "is not JSON"), (b"[]", "list")):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_config(tmp_path)
    save_tensors(tmp_path, {"w": torch.zeros(100)})
    whole = (tmp_path / "model.safetensors").read_bytes()
    for content in (b"", whole[:20], whole[:-4], b"\xff" * 8 + whole[8:]):
        (tmp_path / "model.safetensors").write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            load_tensors(tmp_path)


class _Hostile:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_pickle_named_as_weights_does_not_run(tmp_path) -> None:
    trace = tmp_path / "it_ran"
    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(_Hostile(str(trace))))
    with pytest.raises(InputError, match="is damaged"):
        load_tensors(tmp_path)
    torch.save(_Hostile(str(trace)), tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="is damaged"):
        load_tensors(tmp_path)
    assert not trace.exists()


def test_tensors_that_do_not_fit_are_named_and_none_is_loaded() -> None:
    module = nn.Linear(2, 3)
    before = module.weight.detach().clone()
    with pytest.raises(InputError) as error:
        load_state(module, {"weight": torch.ones(3, 5), "extra": torch.ones(1)}, "here")
    for words in ("here does not fit Linear", "missing bias", "unexpected extra", "(3, 5)"):
        assert words in str(error.value)
    assert torch.equal(module.weight, before)


def test_json_is_strict(tmp_path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"loss": float(np.nan)})
    assert list(tmp_path.iterdir()) == []
    write_json(tmp_path / "a.json", {"é": 1})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"é": 1}

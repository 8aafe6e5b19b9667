"""A network as ONNX gives the wave that it gives here; without the extra, the message names it."""

import json
import sys

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.inference.export import export_onnx
from emotion_rppg.pulse.inference.trained_network import BUNDLED, load_network


def test_wrong_arguments_are_refused_before_work(tmp_path, monkeypatch) -> None:
    with pytest.raises(InputError, match=r"end the name with \.onnx"):
        export_onnx(tmp_path / "a.pt")
    with pytest.raises(InputError, match="3 frames are too few"):
        export_onnx(tmp_path / "a.onnx", frames=3)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"pip install 'emotion-rppg\[onnx\]'"):
        export_onnx(tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_onnxruntime_gives_the_same_wave(tmp_path) -> None:
    for name in ("onnx", "onnxscript"):
        pytest.importorskip(name, reason="no export without the extra onnx")
    runtime = pytest.importorskip("onnxruntime", reason="nothing to run the file with")
    shape = export_onnx(tmp_path / "net.onnx", frames=64)
    network = load_network(BUNDLED["physnet"], device="cpu")
    assert shape == (1, 3, 64, network.size, network.size)
    clip = np.random.default_rng(0).uniform(0, 255, (64, network.size, network.size, 3))
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    given = np.ascontiguousarray(clip.transpose(3, 0, 1, 2)[None], dtype=np.float32)
    (wave,) = session.run(["wave"], {"clip": given})
    np.testing.assert_allclose(wave[0], network(clip), atol=1e-3)
    stated = session.get_modelmeta().custom_metadata_map
    assert json.loads(stated["rate_hz"]) == network.rate_hz
    assert "synthetic-clips" in json.loads(stated["trained_on"])

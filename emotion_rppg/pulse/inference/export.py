"""Export a trained pulse network as an ONNX file, which other programs run without torch.

The file takes crops of a face and gives the network's wave. It has no face tracking, resampling,
overlap-add or spatial refinement: those are this package's.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.inference.overlap_add import CHUNK_S
from emotion_rppg.pulse.inference.trained_network import BUNDLED, load_module
from emotion_rppg.runtime.atomic_files import atomic_file

if TYPE_CHECKING:
    import torch

INPUT, OUTPUT = "clip", "wave"
_STATED = ("network", "rate_hz", "size", "crop_width", "lag_s", "trained_on", "version")


def export_onnx(
    out: str | Path, folder: str | Path | None = None, *, frames: int | None = None
) -> tuple[int, ...]:
    """Write a pulse network as ONNX; return the shape of its input.

    Input ``clip``: float32 (1, 3, frames, size, size), RGB 0–255, at the network's rate. Output
    ``wave``: (1, frames), standardised, more blood up. The metadata of the file state the rate, the
    crop, the lag and the people of the training.

    Parameters
    ----------
    folder : path, optional
        Folder of a trained network; default: the bundled one.
    frames : int, optional
        Length of the clips; default: ten seconds. It is fixed: normalisations use the whole clip.

    Raises
    ------
    InputError
        Another ending than .onnx; no network; too few frames; the extra ``onnx`` is not installed;
        a network whose output is the derivative of the wave.
    """
    path = Path(out)
    if path.suffix.lower() != ".onnx":
        raise InputError(f"unknown format of {str(path)!r}: end the name with .onnx")
    module, config = load_module(folder or BUNDLED["physnet"])
    if config.get("output", "wave") != "wave":
        raise InputError(
            f"the output of {str(folder)!r} is the derivative of the wave, which is integrated "
            "outside of the network: only networks whose output is the wave can be exported"
        )
    length = round(CHUNK_S * config["rate_hz"]) if frames is None else frames
    if length < 16:
        raise InputError(f"{length} frames are too few for a pulse: want at least 16")
    shape = (1, 3, int(length), int(config["size"]), int(config["size"]))
    with atomic_file(path) as fresh:
        _write(_whole(module, config), shape, config, fresh)
    return shape


def _whole(module: torch.nn.Module, config: dict[str, Any]) -> torch.nn.Module:
    """Join normalisation, network, polarity and standardisation in one network."""
    import torch

    from emotion_rppg.pulse.inference.accelerate import fold_batchnorms
    from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = fold_batchnorms(module)

        def forward(self, clip: torch.Tensor) -> torch.Tensor:
            wave = self.network(NORMALISATIONS[config["normalisation"]](clip))
            wave = wave - wave.mean(dim=1, keepdim=True)
            scale = wave.square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-12)
            return wave / scale * config["polarity"]

    return Whole().eval()


def _write(module: Any, shape: tuple[int, ...], config: dict[str, Any], path: Path) -> None:
    import torch

    try:
        import onnx
        import onnxscript  # noqa: F401 — the exporter of torch imports it
    except ImportError as error:
        raise InputError(
            f"the export needs the package {error.name}: pip install 'emotion-rppg[onnx]'"
        ) from error
    with warnings.catch_warnings():  # deprecations inside the exporter
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (torch.zeros(shape),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto  # type: ignore[union-attr]
    stated = {key: json.dumps(config[key], ensure_ascii=False) for key in _STATED if key in config}
    onnx.helper.set_model_props(model, stated)
    path.write_bytes(model.SerializeToString())

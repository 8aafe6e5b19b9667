"""Imports run one way, and nothing heavy is imported before it is used."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree

import pytest

import emotion_rppg

PACKAGE = Path(emotion_rppg.__file__).parent
# A stage may import itself and the stages before it.
ORDER = (
    ("root",),
    ("runtime",),
    ("formats",),
    ("synthesis",),
    ("datasets", "video"),
    ("pulse", "features"),
    ("emotion",),
    ("study",),
    ("evaluation",),
    ("report",),
    ("live", "app", "demo", "doctor"),
    ("cli",),
)
LEVEL = {stage: level for level, stages in enumerate(ORDER) for stage in stages}
FILES = sorted(PACKAGE.rglob("*.py"))
DRAWING = Path(__file__).parents[1] / "docs" / "images" / "architecture.svg"


def stage_of(module: str) -> str:
    """``emotion_rppg.pulse.estimate`` -> ``pulse``; a module at the root that is no stage: root."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LEVEL else "root"


def imported(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, at the top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            base = node.module or ""
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("emotion_rppg.")}


def modules_loaded(code: str) -> set[str]:
    """Return the top-level modules of a fresh interpreter after running the code."""
    script = f"{code}\nimport sys; print(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split("\n")[-2].split())


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])
def test_imports_run_one_way(path: Path) -> None:
    relative = path.relative_to(PACKAGE).with_suffix("")
    if relative.parts == ("__init__",):
        pytest.skip("the package's __init__ imports every public name on first use")
    own = stage_of(".".join(("emotion_rppg", *relative.parts)))
    for name in imported(path):
        other = stage_of(name)
        assert other == own or LEVEL[other] < LEVEL[own], f"{own} must not import {name}"


def test_the_drawing_of_the_architecture_shows_this_order() -> None:
    layers = []
    for group in ElementTree.parse(DRAWING).iter("{http://www.w3.org/2000/svg}g"):
        names = [part for part in group if part.get("class") == "stage"]
        height = {float(part.get("y", "nan")) for part in names}
        assert len(height) == 1, [part.text for part in names]
        layers.append((height.pop(), tuple(part.text for part in names)))
    assert tuple(names for _, names in sorted(layers, reverse=True)) == ORDER


@pytest.mark.parametrize("stage", ["datasets", "features"])
def test_these_stages_never_import_torch(stage: str) -> None:
    for path in (PACKAGE / stage).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import torch" not in text, path
        assert "from torch" not in text, path


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"pandas", "scipy", "sklearn", "torch", "neurokit2", "cv2", "lightning", "matplotlib"}
    assert not modules_loaded("import emotion_rppg") & heavy


def test_listing_the_splits_loads_nothing_heavy() -> None:
    heavy = {"pandas", "scipy", "sklearn", "torch", "neurokit2", "cv2", "lightning", "matplotlib"}
    assert not modules_loaded("from emotion_rppg.evaluation import SPLITS") & heavy


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['emotion-rppg', '--help']\n"
        "from emotion_rppg.cli import main\n"
        "try: main()\nexcept SystemExit: pass"
    )
    heavy = {"pandas", "scipy", "sklearn", "torch", "neurokit2", "cv2", "lightning", "matplotlib"}
    assert not modules_loaded(code) & heavy


def test_every_public_name_exists() -> None:
    for name in emotion_rppg.__all__:
        assert callable(getattr(emotion_rppg, name)), name


def public_functions() -> dict[str, Callable[..., object]]:
    from emotion_rppg import evaluation, study
    from emotion_rppg.evaluation import learning_curve, pulse_agreement

    found = {name: getattr(emotion_rppg, name) for name in emotion_rppg.__all__}
    more = (study.pretrain_encoder, pulse_agreement.evaluate_pulse, learning_curve.learning_curve)
    return found | {f.__name__: f for f in more} | {"evaluation.evaluate": evaluation.evaluate}


def test_every_parameter_of_a_public_function_has_a_name() -> None:
    for name, function in public_functions().items():
        kinds = {p.kind for p in inspect.signature(function).parameters.values()}
        hidden = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
        assert not kinds & hidden, f"{name}{inspect.signature(function)}"


def test_the_public_evaluate_shows_every_parameter() -> None:
    from emotion_rppg.evaluation.run import evaluate

    assert emotion_rppg.evaluate is evaluate
    shown = set(inspect.signature(emotion_rppg.evaluate).parameters)
    assert {"target", "heads", "split", "normalise", "permutations", "cache", "seed"} < shown


def test_pretrain_encoder_has_the_defaults_of_its_configuration() -> None:
    from emotion_rppg.emotion.deep.pretraining import PretrainingConfig
    from emotion_rppg.study import pretrain_encoder

    shown = inspect.signature(pretrain_encoder).parameters
    for field in fields(PretrainingConfig):
        assert shown[field.name].default == field.default, field.name

"""The tables of names are complete, and each member fulfils the contract of its kind."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from torch import nn

import emotion_rppg
from emotion_rppg.datasets import DATASETS
from emotion_rppg.emotion import DUMMIES, HEADS, HEADS_REGRESSION
from emotion_rppg.evaluation import SPLITS
from emotion_rppg.features import FAMILIES
from emotion_rppg.pulse import METHODS, NETWORKS
from emotion_rppg.pulse.inference.winograd import Convolution
from emotion_rppg.signal_quality import heart_rate
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.video.face_tracking import read_trace

CLIP = Path(__file__).parents[1] / "data" / "synthetic_clip.mp4"


def modules(stage: str) -> Iterator[ModuleType]:
    package = importlib.import_module(f"emotion_rppg.{stage}")
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def defined(stage: str, wanted) -> set[object]:
    """Collect the public objects of a stage that look like an entry of its table."""
    return {
        thing
        for module in modules(stage)
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and getattr(thing, "__module__", None) == module.__name__
        and wanted(thing)
    }


def parameters(thing: object) -> list[str]:
    return list(inspect.signature(thing).parameters) if inspect.isfunction(thing) else []


def test_every_method_is_in_the_table() -> None:
    assert defined("pulse", lambda t: parameters(t) == ["rgb", "rate_hz"]) == set(METHODS.values())


def test_every_network_is_in_the_table() -> None:
    def is_network(t: object) -> bool:
        return inspect.isclass(t) and issubclass(t, nn.Module) and not issubclass(t, Convolution)

    assert defined("pulse", is_network) == set(NETWORKS.values())


def test_every_family_is_in_the_table() -> None:
    # one function of several families is a partial
    computes = {getattr(f.compute, "func", f.compute) for f in FAMILIES.values()}
    assert defined("features", lambda t: getattr(t, "__name__", "") == "table") == computes
    assert [family.name for family in FAMILIES.values()] == list(FAMILIES)


def test_no_column_belongs_to_two_families() -> None:
    names = [name for family in FAMILIES.values() for name in family.columns]
    assert len(names) == len(set(names))


def test_every_data_set_is_in_the_table() -> None:
    assert defined("datasets", lambda t: inspect.isclass(t) and hasattr(t, "card")) == set(
        DATASETS.values()
    )


def test_every_split_is_in_the_table() -> None:
    assert defined("evaluation", lambda t: parameters(t) == ["table", "seed"]) == {
        split.function for split in SPLITS.values()
    }


def test_every_head_is_an_unfitted_estimator_under_its_name() -> None:
    for head in (*HEADS.values(), *HEADS_REGRESSION.values(), *DUMMIES.values()):
        assert isinstance(head, BaseEstimator)
        assert not any(name.endswith("_") and not name.startswith("_") for name in vars(head))
    assert {"logistic", "svm", "forest", "lstm"} <= set(HEADS)


@pytest.fixture(scope="module")
def trace() -> np.ndarray:
    _, rgb = read_trace(CLIP)
    return rgb


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_each_method_estimates_the_pulse_of_a_face_with_more_blood_up(method, trace) -> None:
    wave = Signal(method(trace, 30.0), 30.0, kind="rppg")
    assert len(wave) == len(trace)
    assert heart_rate(wave) == pytest.approx(72.0, abs=2.0)
    green = Signal(trace[:, 1], 30.0).bandpass(0.7, 4.0).samples
    assert np.corrcoef(wave.bandpass(0.7, 4.0).samples, green)[0, 1] < -0.5


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_each_family_has_one_schema_for_any_input(family) -> None:
    many = [Beats(np.arange(n) * 0.8 + 3.0, span_s=(3.0, 63.0)) for n in (0, 1, 2, 3, 10, 60)]
    whole = family(many)
    assert len(whole) == len(many)
    for beats in many:
        alone = family([beats])
        pd.testing.assert_series_equal(alone.dtypes, whole.dtypes)
    assert list(family([])) == list(whole)


def test_the_version_is_the_same_in_code_and_metadata() -> None:
    from importlib.metadata import version

    assert version("emotion-rppg") == emotion_rppg.__version__

"""One default method of videos everywhere; tables say which network it is."""

import inspect
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from emotion_rppg import Extraction, Recording, Video, estimate, extract
from emotion_rppg.app.analysis import analyse
from emotion_rppg.cli import evaluate as evaluate_verb
from emotion_rppg.cli import extract as extract_verbs
from emotion_rppg.cli import live as live_verb
from emotion_rppg.cli import pulse as pulse_verb
from emotion_rppg.live import watch
from emotion_rppg.pulse import DEFAULT_METHOD, METHODS
from emotion_rppg.pulse.inference.trained_network import BUNDLED
from emotion_rppg.pulse.people import estimate_people
from emotion_rppg.runtime.model_folders import read_config
from emotion_rppg.study.acquisition import Reading, waves
from emotion_rppg.study.replay import extraction_for

EVERYWHERE = {
    "estimate": estimate,
    "estimate_people": estimate_people,
    "extract": extract,
    "waves": waves,
    "Extraction": Extraction,
    "Reading": Reading,
    "live": watch,
    "the page": analyse,
    "verb pulse": pulse_verb.pulse,
    "verb features": extract_verbs.features,
    "verb evaluate": evaluate_verb.evaluate,
    "verb live": live_verb.live,
}


@pytest.mark.parametrize("name", EVERYWHERE)
def test_the_default_method_is_the_same_everywhere(name) -> None:
    assert inspect.signature(EVERYWHERE[name]).parameters["method"].default == DEFAULT_METHOD


def test_the_default_method_needs_no_weights() -> None:
    assert DEFAULT_METHOD in {*METHODS, *BUNDLED}


def facts(**options: object) -> dict[str, object]:
    recording = Recording("mine", "1", video=Video(Path("face.mp4")))
    return Reading(**options).facts(recording)


def test_a_table_of_the_bundled_network_names_it_and_its_training() -> None:
    found = facts(method="physnet")
    assert (found["method"], found["network"]) == ("physnet", "bundled")
    people = read_config(BUNDLED["physnet"])["trained_on"]
    assert people
    assert json.loads(str(found["trained_on"])) == people


def test_a_table_of_a_classical_method_names_no_network() -> None:
    found = facts(method="pos")
    assert (found["network"], found["trained_on"]) == ("", "")


def model_of(extraction: Extraction, network: str) -> SimpleNamespace:
    """Stand in for a model of the table of an extraction."""
    return SimpleNamespace(
        extraction=extraction, made_from={"network": network}, names=[], encoder=None
    )


@pytest.mark.parametrize("network", ["bundled", ""])  # "": stored before the column had a name
def test_a_model_of_the_bundled_network_needs_no_folder(network, tmp_path) -> None:
    model = model_of(Extraction(method="physnet"), network)
    assert extraction_for(model, []).method == "physnet"
    assert extraction_for(model, [], weights=tmp_path).weights == str(tmp_path)


def test_a_model_of_another_method_than_the_default_is_replayed_with_it() -> None:
    stored = json.loads(json.dumps(Extraction(method="pos").to_dict()))
    assert extraction_for(model_of(Extraction.from_dict(stored), ""), []).method == "pos"

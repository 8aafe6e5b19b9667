"""Looking up a reader, and describing its data set as text."""

import shutil

import pytest

from emotion_rppg import datasets
from emotion_rppg.datasets import cards
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Recording


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_a_reader_is_found_by_its_name(name) -> None:
    assert datasets.find(name) is datasets.DATASETS[name]


def test_an_unknown_name_is_refused_with_all_names() -> None:
    with pytest.raises(InputError, match=r"unknown data set 'deeap'; known: amigos, .*, wesad"):
        datasets.find("deeap")


def test_a_description_has_one_fact_per_line_and_lists_problems(fakes) -> None:
    text = cards.description_as_text(cards.describe("stress-predict", fakes["stress-predict"]))
    lines = text.splitlines()
    assert "found people      2" in lines
    assert "found recordings per person 2" in lines
    assert "found recordings with bvp: 4, eda: 4, temp: 4, acc: 4" in lines
    assert lines[-2:] == ["problems: 1", "  2 people, the card says 35"]
    assert "found" not in cards.description_as_text(cards.describe("stress-predict", None))


def test_a_rating_of_many_values_is_listed_as_its_range() -> None:
    """A slider has hundreds of values; a name is counted, however many there are."""
    ratings = [Recording("d", str(k), labels={"arousal": k / 10 - 5}) for k in range(100)]
    names = [Recording("d", str(k), labels={"clip": f"c{k}"}) for k in range(30)]
    few = [Recording("d", str(k), labels={"stress": float(k % 2)}) for k in range(100)]
    assert cards._count_labels(ratings) == {"arousal": {"-5 to 4.9": 100}}
    assert len(cards._count_labels(names)["clip"]) == 30
    assert cards._count_labels(few) == {"stress": {"0.0": 50, "1.0": 50}}


def test_intervals_have_no_rate_to_compare_and_an_empty_list_is_a_problem(fakes, tmp_path) -> None:
    root = shutil.copytree(fakes["welltory"], tmp_path / "w")
    problems = cards.describe("welltory", root)["found"]["problems"]
    assert problems == ["3 people, the card says 13"]
    (root / "subject_02" / "RR.txt").write_text("")
    assert "RR.txt" in cards.describe("welltory", root)["found"]["problems"][-1]

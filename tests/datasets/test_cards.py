"""Looking up a reader, and describing its data set as text."""

import shutil

import pytest

from emotion_rppg import datasets
from emotion_rppg.datasets import cards
from emotion_rppg.datasets.folder_layout import MOST_PATTERNS, count_patterns
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


def test_the_description_of_a_download_has_no_path_outside_of_it(fakes, tmp_path) -> None:
    root = shutil.copytree(fakes["stress-predict"], tmp_path / "private")
    (root / ".hidden").write_text("")
    damaged = next(iter(sorted(root.rglob("BVP.csv"))))
    start, rate, *_ = damaged.read_text().splitlines()
    damaged.write_text(f"{start}\n{rate}\nnothing\n")
    facts = cards.describe("stress-predict", root)
    found = facts["found"]
    assert str(tmp_path) not in cards.description_as_text(facts)
    assert damaged.relative_to(root).as_posix() in " ".join(found["problems"])
    assert found["files"]["Raw_data/S#/BVP.csv"] == len(list(root.rglob("BVP.csv")))
    assert not any("hidden" in name for name in found["files"])
    refused = cards.refusal("deap", root, InputError(f"no deap files under {str(root)!r}"))
    assert refused["found"]["problems"] == ["no deap files under the folder"]
    assert cards.description_as_text(refused).endswith("no deap files under the folder")


def test_rare_patterns_of_file_names_are_counted_together(tmp_path) -> None:
    for k in range(MOST_PATTERNS + 5):
        name = "".join(chr(ord("a") + int(digit)) for digit in str(k))
        (tmp_path / f"{name}.csv").write_text("")
    (tmp_path / "a1.csv").write_text("")
    (tmp_path / "a22.csv").write_text("")
    counts = count_patterns(tmp_path)
    assert counts["a#.csv"] == 2
    assert counts["others"] == 6
    assert sum(counts.values()) == MOST_PATTERNS + 7


def test_a_reader_is_of_real_files_of_a_part_of_them_or_of_documents() -> None:
    sure = {name: cards.verification(reader.card) for name, reader in datasets.DATASETS.items()}
    assert sure["hku956"] == "on real files"
    assert sure["wesad"] == "in part on real files"
    assert sure["deap"] == "from documents"


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

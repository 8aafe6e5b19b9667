"""What is released is complete and agrees with itself: version, description, licences, cards."""

import re
import tomllib
from pathlib import Path

import pytest

import emotion_rppg

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FACTS = PROJECT["project"]
CARDS = {
    "pulse network": ROOT / "emotion_rppg/pulse/weights/physnet/MODEL_CARD.md",
    "stress": ROOT / "emotion_rppg/emotion/weights/stress/MODEL_CARD.md",
    "synthetic clip": ROOT / "data/README.md",
}


def named(extras: tuple[str, ...]) -> set[str]:
    """Name the packages that a user installs with some extras."""
    lines = [
        *FACTS["dependencies"],
        *(d for e in extras for d in FACTS["optional-dependencies"][e]),
    ]
    return {re.match(r"[\w.-]+", line)[0].lower().replace("-", "_") for line in lines}


def test_citation_changelog_and_package_have_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    version = emotion_rppg.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version)
    assert citation["version"] == version
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "license", "type"} <= set(citation)
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1].startswith(version)
    assert f"emotion_rppg-{version}-py3-none-any.whl" in (ROOT / "README.md").read_text("utf-8")


def test_the_classifiers_name_the_versions_of_python_that_are_accepted() -> None:
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", FACTS["requires-python"]).groups()
    wanted = {f"Programming Language :: Python :: 3.{n}" for n in range(int(low), int(high))}
    assert wanted == {c for c in FACTS["classifiers"] if c.startswith("Programming Language")}


def test_the_description_of_the_package_has_no_link_that_needs_the_repository() -> None:
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = (ROOT / hook["fragments"][0]["path"]).read_text(encoding="utf-8")
    before = re.findall(r"\]\((?!https?://)[^)#]", text)
    for change in hook["substitutions"]:
        text = re.sub(change["pattern"], change["replacement"], text)
    assert before
    assert not re.findall(r"\]\((?!https?://|#)", text)
    assert "placeholders" in hook["fragments"][1]["text"]


def test_the_notice_names_each_package_that_is_installed() -> None:
    text = (ROOT / "NOTICE").read_text(encoding="utf-8").lower().replace("-", "_")
    extras = tuple(set(FACTS["optional-dependencies"]) - {"docs", "dev"})
    assert {name for name in named(extras) if not re.search(rf"\b{name}\b", text)} == set()


@pytest.mark.parametrize("name", CARDS)
def test_each_card_begins_with_the_fields_of_the_hub(name) -> None:
    _, front, body = CARDS[name].read_text(encoding="utf-8").split("---\n", 2)
    fields = yaml.safe_load(front)
    assert fields["license"] == "mit"
    assert fields["tags"]
    assert body.lstrip().startswith("# ")
    assert ("library_name" in fields) is (CARDS[name].name == "MODEL_CARD.md")
    for model in fields.get("model-index", ()):
        for result in model["results"]:
            assert {"type", "name"} <= set(result["task"]) & set(result["dataset"])
            for metric in result["metrics"]:
                assert f"{metric['value']}" in body


def test_dir_shows_the_public_names_only() -> None:
    names = [name for name in dir(emotion_rppg) if not name.startswith("__")]
    assert names == sorted(emotion_rppg.__all__)


@pytest.mark.parametrize("file", ["Dockerfile", "Dockerfile.cuda"])
def test_an_image_runs_without_root_and_copies_nothing_of_the_user(file) -> None:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    words = {line.split()[0] for line in lines if line[:1].isupper()}
    assert words == {"FROM", "RUN", "COPY", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    user = next(line for line in lines if line.startswith("USER"))
    assert user.split()[1].isdigit()
    assert {".git", "data"} <= set((ROOT / ".dockerignore").read_text().split())

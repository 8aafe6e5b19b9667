"""README and docs/datasets.md agree with the cards of the data sets."""

from pathlib import Path

import pytest

from emotion_rppg.datasets import DATASETS
from emotion_rppg.errors import InputError
from emotion_rppg.report.dataset_pages import BEGIN, END, PAGE, datasets_page, update_readme

ROOT = Path(__file__).parents[2]


def test_the_readmes_table_is_written_from_the_cards() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert update_readme(text) == text, "run `make pages`"
    rows = text.split(BEGIN)[1].split(END)[0].strip().splitlines()
    assert len(rows) == 2 + len(DATASETS)
    with pytest.raises(InputError, match="no table of data sets"):
        update_readme(text.replace(END, ""))
    assert update_readme(f"{BEGIN}\nold\n{END}\nrest").endswith(f"\n{END}\nrest")


def test_the_page_is_written_from_the_cards() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == datasets_page(), "run `make pages`"


@pytest.mark.parametrize("name", DATASETS)
def test_the_page_has_every_fact_of_a_card(name) -> None:
    card = DATASETS[name].card
    section = datasets_page().split(f"(`{name}`)\n")[1].split("\n## ")[0]
    for fact in (
        card.access,
        card.licence,
        card.verified,
        card.reference,
        card.bibtex,
        *card.traps,
    ):
        assert fact in section
    for rate in card.rates_hz.values():
        assert f"{rate:g} Hz" in section
    if card.reference:
        assert card.url in section
        assert DATASETS[name].expected in section

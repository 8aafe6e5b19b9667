"""Report section with the declarations that journals ask for: data, code, ethics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emotion_rppg._version import __version__
from emotion_rppg.datasets.cards import cards_of
from emotion_rppg.report.page import Section

if TYPE_CHECKING:
    import pandas as pd

_BY_THE_AUTHORS = "To be stated by the authors"


def declarations(table: pd.DataFrame) -> Section:
    """State where data and code are available and what is known of approval and consent.

    What the package cannot know is marked as to be stated by the authors.
    """
    cards = [card for card in cards_of(table) if card.reference]
    known = {card.name for card in cards}
    readers = (
        table["reader"].astype(str) if "reader" in table else table["dataset"].map(lambda _: "")
    )
    own = sorted(set(table.loc[~readers.isin(known), "dataset"].astype(str)))
    data = [
        f"{card.title}: {card.access}; licence: {card.licence}"
        + (f"; {card.url}" if card.url else "")
        for card in cards
    ]
    if own:
        data.append(
            f"{', '.join(own)}: {_BY_THE_AUTHORS.lower()}: where the recordings are available, and "
            "under which terms"
        )
    ethics = []
    if cards:
        titles = ", ".join(card.title for card in cards)
        ethics.append(
            f"approval and consent for {titles} are described by the authors of these data, "
            "cited under Methods"
        )
    if own:
        ethics.append(
            f"{_BY_THE_AUTHORS.lower()} for {', '.join(own)}: the ethics committee, the number of "
            "its approval, and the consent of the people recorded"
        )
    return Section(
        "Data, code and ethics",
        [
            f"Data availability. {'. '.join(data)}.",
            f"Code availability. emotion_rppg {__version__}, MIT licence, with the command under "
            "Methods. The folder of this report has the scores (results.csv, summary.csv, "
            "pairs.csv, null.csv), the prediction of every window (predictions.parquet), the "
            "settings (settings.json), and versions and identities of the inputs (run.json).",
            f"Ethics. {_sentence('; '.join(ethics))}",
            "The predictions are statistical estimates. They are no diagnosis and do not show what "
            "a person feels. This report contains no face and names people by their codes in the "
            "table.",
        ],
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."

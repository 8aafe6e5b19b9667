"""Evaluate stress detection from a wrist PPG on new people, and train the bundled model.

``emotion-rppg features --dataset stress-predict --root DIR --families hrv,morphology,sequence --out
TABLE``, then ``python -m benchmarks.stress TABLE`` prints heads × normalisations, without and with
the quality columns. To retrain the bundled model, after any change of beats or features:
``python -m benchmarks.stress TABLE emotion_rppg/emotion/weights/stress``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from emotion_rppg import evaluate, fit
from emotion_rppg.emotion import HEADS
from emotion_rppg.emotion.deep.estimator import SequenceHead
from emotion_rppg.emotion.design_matrix import CONFIDENCE
from emotion_rppg.evaluation.heads import chosen_heads
from emotion_rppg.evaluation.model_scores import with_scores
from emotion_rppg.evaluation.normalisation import NORMALISE
from emotion_rppg.evaluation.result import Evaluation
from emotion_rppg.features import columns
from emotion_rppg.features.family import QUALITY_GROUP
from emotion_rppg.runtime.atomic_files import CARD
from emotion_rppg.runtime.cache import cache_beside
from emotion_rppg.runtime.tables import read_table

HEAD, NORMALISATION = "logistic", "calibration"  # of the bundled model: the simplest of the best


def scores(table: pd.DataFrame, out: Path, **options: Any) -> pd.DataFrame:
    """Evaluate heads: mean over people with its interval, a row per head."""
    return evaluation(table, out, **options).summary().set_index("head")


def evaluation(table: pd.DataFrame, out: Path, **options: Any) -> Evaluation:
    """Evaluate heads, with folds that are cached beside the table."""
    with cache_beside(out) as cache:
        return evaluate(table, target="stress", cache=cache.folder, **options)


def every_head() -> dict[str, Any]:
    """Return all heads of `evaluate`, and networks on the beat sequences without features."""
    alone = {"lstm, beats alone": SequenceHead(reads="beats")}
    alone["cnn, beats alone"] = SequenceHead(reads="beats", cell="conv", layers=2)
    return {**chosen_heads("all", True, several=False, encoder=None), **alone}


def compare(path: Path) -> None:
    """Print heads × normalisations, without and with the quality columns."""
    table = read_table(path)
    of_quality = [name for name, c in columns().items() if c.group == QUALITY_GROUP]
    quality = [name for name in (*of_quality, CONFIDENCE) if name in table]
    for extra in ([], quality):
        options = {"heads": every_head(), "extra_features": extra, "workers": 2}
        results = {name: scores(table, path, normalise=name, **options) for name in NORMALISE}
        print(f"\n| head{', with quality columns' if extra else ''} | {' | '.join(results)} |")
        print("|---|---|---|---|")
        for head in results["none"].index:
            cells = [_cell(part.loc[head]) for part in results.values()]
            print(f"| {head} | {' | '.join(cells)} |")


def _cell(row: pd.Series) -> str:
    """Mean and interval of a head."""
    return f"{row['mean']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"


def train_bundled(path: Path, out: Path) -> None:
    """Fit the bundled model on all people; its note and card have the score on new people.

    The lines of the model hub at the top of the card stay as they are: correct them by hand.
    """
    table, card = read_table(path), out / CARD
    front = _front_matter(card.read_text(encoding="utf-8")) if card.is_file() else ""
    results = evaluation(table, path, heads=[HEAD], normalise=NORMALISATION)
    score = results.summary().set_index("head").loc[HEAD]
    model = fit(table, target="stress", head=HEAD, normalise=NORMALISATION)
    model = with_scores(model, results, head=HEAD)
    note = (
        "Learned from wrists (Empatica E4, Stress-Predict, MIT licence), unproven on cameras and "
        f"on stress outside of a laboratory. On {int(score['people'])} people it did not see, one "
        f"at a time: balanced accuracy {_cell(score)} of the windows with a trusted pulse "
        f"({1 - score['withheld']:.0%}); 0.5 is chance, p = {score['p']:.2g}."
    )
    replace(model, note=note).save(out)
    card.write_text(front + card.read_text(encoding="utf-8"), encoding="utf-8")
    print(note)


def _front_matter(text: str) -> str:
    """Return the block of YAML at the top of a card, with the empty line after it."""
    return text[: text.index("---\n\n", 4) + 5] if text.startswith("---\n") else ""


def main(arguments: list[str]) -> None:
    """Print the comparison, or train the bundled model if an output folder is given."""
    if len(arguments) > 1:
        train_bundled(Path(arguments[0]), Path(arguments[1]))
    else:
        print(f"heads: {', '.join(HEADS)}; balanced accuracy, mean over people with 95 % interval")
        compare(Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])

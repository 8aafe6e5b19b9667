"""Stress by a wrist's pulse: every head on people it never saw, and the model that is shipped.

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
from emotion_rppg.evaluation.normalisation import NORMALISE
from emotion_rppg.features import columns
from emotion_rppg.features.family import QUALITY_GROUP
from emotion_rppg.runtime.cache import cache_beside
from emotion_rppg.runtime.tables import read_table

HEAD, HOW = "logistic", "calibration"  # of the shipped model: the simplest of those that do best


def scores(table: pd.DataFrame, out: Path, **options: Any) -> pd.DataFrame:
    """Mean over people with its interval, a row a head."""
    with cache_beside(out) as kept:
        found = evaluate(table, target="stress", cache=kept.folder, **options)
    return found.summary().set_index("head")


def every_head() -> dict[str, Any]:
    """All that `evaluate` knows, and what the beats are worth to a network without the features."""
    alone = {"lstm, beats alone": SequenceHead(reads="beats")}
    alone["cnn, beats alone"] = SequenceHead(reads="beats", cell="conv", layers=2)
    return {**chosen_heads("all", True, several=False, encoder=None), **alone}


def compared(path: Path) -> None:
    table = read_table(path)
    of_quality = [name for name, c in columns().items() if c.group == QUALITY_GROUP]
    quality = [name for name in (*of_quality, CONFIDENCE) if name in table]
    for extra in ([], quality):
        options = {"heads": every_head(), "extra_features": extra, "workers": 2}
        found = {how: scores(table, path, normalise=how, **options) for how in NORMALISE}
        print(f"\n| head{', with quality columns' if extra else ''} | {' | '.join(found)} |")
        print("|---|---|---|---|")
        for head in found["none"].index:
            cells = [_told(part.loc[head]) for part in found.values()]
            print(f"| {head} | {' | '.join(cells)} |")


def _told(row: pd.Series) -> str:
    return f"{row['mean']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"


def shipped(path: Path, out: Path) -> None:
    """Fitted on everybody; its note says what it scored on people it did not see."""
    table = read_table(path)
    found = scores(table, path, heads=[HEAD], normalise=HOW).loc[HEAD]
    model = fit(table, target="stress", head=HEAD, normalise=HOW)
    note = (
        "Learned from wrists (Empatica E4, Stress-Predict, MIT licence), unproven on cameras and "
        f"on stress outside of a laboratory. On {int(found['people'])} people it did not see, one "
        f"at a time: balanced accuracy {_told(found)}; 0.5 is chance."
    )
    replace(model, note=note).save(out)
    print(note)


def main(arguments: list[str]) -> None:
    if len(arguments) > 1:
        shipped(Path(arguments[0]), Path(arguments[1]))
    else:
        print(
            f"heads: {', '.join(HEADS)}; balanced accuracy, mean over people with its 95 % interval"
        )
        compared(Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])

"""The report says how it was done and how to do it again."""

import pandas as pd

from emotion_rppg.report.methods import command, methods


def test_the_command_is_one_the_command_line_would_take() -> None:
    given = {"table": "my table.csv", "dataset": None, "target": ["arousal", "valence"]}
    given |= {"heads": ["logistic", "lda"], "allow_unknown_training": False, "ablate": []}
    assert command(given | {"seed": 0}) == (
        "emotion-rppg evaluate --table 'my table.csv' --task arousal --task valence "
        "--heads logistic,lda --seed 0"
    )
    assert command({"allow_unknown_training": True, "ablate": ["quality"]}).endswith(
        "--allow-unknown-training --ablate quality"
    )


def test_the_null_is_described_only_where_there_was_one() -> None:
    results = pd.DataFrame({"head": ["a"]})
    assert "No permutation test" in " ".join(methods(results, {}).text)
    results.attrs["null"] = pd.DataFrame({"target": "t", "head": "a", "score": [0.5] * 19})
    assert "19 times the labels were exchanged" in " ".join(methods(results, {}).text)

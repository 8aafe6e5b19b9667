"""The model card names the head as people do, the training windows, their classes and ranges."""

import json

import numpy as np
import pandas as pd

from emotion_rppg import fit, load


def table(people: int = 6, windows: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = people * windows
    high = np.tile([0, 1, 1], n // 3)
    return pd.DataFrame(
        {
            "dataset": "study",
            "subject": np.repeat([f"p{k}" for k in range(people)], windows),
            "session": "1",
            "trial": [str(k) for k in range(n)],
            "start_s": 0.0,
            "duration_s": 60.0,
            "source": "ecg",
            "hr_bpm": 70 + 10 * high + rng.normal(size=n),
            "sdnn_ms": 50 + rng.normal(size=n),
            "label_stress": high,
        }
    )


def test_a_fitted_model_states_windows_balance_settings_and_ranges(tmp_path) -> None:
    fit(table(), target="stress", head="lda", seed=7).save(tmp_path / "m")
    card = (tmp_path / "m" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for text in (
        *("Heads: stress: linear discriminant analysis", "windows: 36", "people: 6", "seed: 7"),
        *("windows by stress: low 12, high 24", "normalise: none", "A fit has no score"),
        *("| feature | 1 % | median | 99 % |", "| hr_bpm | 6", "not what the person feels"),
    ):
        assert text in card, text
    assert load(tmp_path / "m").training["windows"] == 36
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    del config["training"]  # a model of an earlier version
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    assert "windows by stress" not in load(tmp_path / "m").card()

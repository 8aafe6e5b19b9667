"""Arousal and valence on their plane: each window where the model puts it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.report.plots.circumplex import plane, plot_over_time, tracks

ROWS = pd.DataFrame(
    {
        "start_s": [0.0, 30.0, 60.0],
        "duration_s": 60.0,
        "reason": ["ok", "no clear pulse", "ok"],
        "arousal": ["low", None, "high"],
        "arousal_p_high": [0.2, None, 0.9],
        "valence_p_high": [0.7, None, 0.4],
        "valence": [5.5, np.nan, 3.0],
    }
)


def model(**classes: tuple[str, ...]) -> Any:
    return SimpleNamespace(targets=list(classes), classes=classes)


def test_classes_are_drawn_by_their_probability_and_numbers_as_they_are() -> None:
    both = model(arousal=("low", "high"), valence=())
    found = tracks(ROWS, both)
    np.testing.assert_equal(found["p(arousal high)"], [0.2, np.nan, 0.9])
    np.testing.assert_equal(found["valence"], [5.5, np.nan, 3.0])
    lines = plot_over_time(ROWS, both).axes[0]
    assert lines.get_title() == "1 of 3 windows not predicted: no clear pulse"
    np.testing.assert_equal(lines.lines[0].get_xdata(), [30, 60, 90])


def test_the_axis_of_probabilities_is_from_0_to_1_and_that_of_numbers_is_free() -> None:
    classes = plot_over_time(ROWS, model(arousal=("low", "high"))).axes[0]
    assert classes.get_ylim() == pytest.approx((-0.03, 1.03))
    assert plot_over_time(ROWS, model(valence=())).axes[0].get_ylim()[1] > 5


def test_valence_runs_to_the_right_and_arousal_up() -> None:
    drawn = plane(ROWS, model(arousal=("low", "high"), valence=("low", "high")))
    assert drawn is not None
    axis = drawn.axes[0]
    np.testing.assert_allclose(
        axis.collections[0].get_offsets().filled(np.nan)[[0, 2]], [[0.7, 0.2], [0.4, 0.9]]
    )
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("p(valence high)", "p(arousal high)")
    assert [text.get_text() for text in axis.texts] == ["0 s", "60 s"]
    assert axis.get_xlim() == (0, 1)


def test_a_model_of_one_of_both_has_no_plane() -> None:
    assert plane(ROWS, model(arousal=("low", "high"))) is None

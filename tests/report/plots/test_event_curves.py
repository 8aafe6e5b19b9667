"""The figure of event-locked curves draws what is in the file, as PNG, SVG and PDF."""

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.report.plots.event_curves import plot
from emotion_rppg.study import event_curves
from tests.study.test_event_curves import CHANGE, people_rows, steps, windows


@pytest.fixture(scope="module")
def curves():
    people = {k: [steps(70 + 2 * int(k)), steps(80)] for k in "1234"}
    table = windows(people)
    table.loc[table["event_number"] == 2, "event"] = "question"
    return event_curves(table, rate_hz=2.0)


def test_each_kind_of_event_has_a_panel_with_mean_band_and_people(curves) -> None:
    figure = plot(curves)
    panels = [axis for axis in figure.axes if axis.get_visible()]
    titles = [axis.get_title() for axis in panels]
    assert titles == ["film\n4 people, 4 events", "question\n4 people, 4 events"]
    mean = people_rows(curves[curves["event"] == "film"])
    heights = [line.get_ydata() for line in panels[0].lines]
    assert any(len(h) == len(mean) and np.allclose(h, mean[CHANGE]) for h in heights)
    assert sum(len(h) == len(mean) for h in heights) == 5  # the mean and four people
    top = panels[0].collections[0].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(mean["ci_high_bpm"].max())
    low, high = panels[0].get_ylim()
    assert low < mean["ci_low_bpm"].min()
    assert high > mean["ci_high_bpm"].max()


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_the_figure_is_saved_in_each_format(curves, ending, start, tmp_path) -> None:
    path = tmp_path / f"curves.{ending}"
    plot(curves).savefig(path)
    assert path.read_bytes().startswith(start)


def test_the_interval_of_two_people_does_not_set_the_axis() -> None:
    two = event_curves(windows({"1": [steps(70)], "2": [steps(90)]}), rate_hz=2.0)
    assert people_rows(two)["ci_high_bpm"].max() > 100
    assert plot(two).axes[0].get_ylim()[1] < 40


def test_another_table_is_refused(curves) -> None:
    with pytest.raises(InputError, match="no curves to draw: the table has no level"):
        plot(curves.drop(columns="level"))

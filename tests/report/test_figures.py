"""Figures for papers: the values of the table, a journal's width, text that stays text."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.report import figures, journal
from emotion_rppg.report.figures import FIGURES, FigureOptions, write_figure
from emotion_rppg.report.plots.tachogram import caption_of, plot_beats_and_gaps
from emotion_rppg.runtime.tables import write_table, write_wave
from emotion_rppg.signals import Beats, Signal

SVG = "{http://www.w3.org/2000/svg}"
POINTS_PER_MM = 72 / 25.4


def texts(path: Path) -> list[str]:
    """All text elements of an SVG: there are none where text was drawn as outlines."""
    return ["".join(node.itertext()) for node in ElementTree.parse(path).iter(f"{SVG}text")]


def size_mm(path: Path) -> tuple[float, float]:
    root = ElementTree.parse(path).getroot()
    width, height = (float(root.attrib[k].removesuffix("pt")) for k in ("width", "height"))
    return width / POINTS_PER_MM, height / POINTS_PER_MM


@pytest.fixture
def feature_table(table, tmp_path) -> Path:
    return write_table(table, tmp_path / "table.csv")


@pytest.fixture
def prediction(tmp_path) -> Path:
    rows = pd.DataFrame(
        {
            "dataset": "d",
            "subject": "1",
            "session": "1",
            "trial": "a",
            "start_s": [0.0, 30.0, 60.0, 90.0],
            "duration_s": 60.0,
            "arousal": ["low", "", "high", "high"],
            "arousal_p_low": [0.8, np.nan, 0.1, 0.3],
            "arousal_p_high": [0.2, np.nan, 0.9, 0.7],
            "valence": [5.5, np.nan, 3.0, 4.0],
            "reason": ["ok", "no clear pulse: quality 0.1", "ok", "ok"],
        }
    )
    return write_table(rows, tmp_path / "prediction.csv")


@pytest.fixture
def curves(tmp_path) -> Path:
    times = np.arange(-2.0, 4.0)
    people = {"event": "tone", "level": "people", "person": "", "hr_change_bpm": times / 2}
    people |= {"ci_low_bpm": times / 2 - 1, "ci_high_bpm": times / 2 + 1, "n_people": 3}
    people |= {"n_events": 12, "n_withheld": 2, "time_s": times}
    one = people | {"level": "person", "person": "d/1", "hr_change_bpm": times, "n_withheld": 0}
    frames = [pd.DataFrame(people), pd.DataFrame(one)]
    return write_table(pd.concat(frames), tmp_path / "curves.csv")


@pytest.fixture
def wave(tmp_path) -> Path:
    t = np.arange(64 * 90) / 64
    samples = np.sin(2 * np.pi * 1.2 * t)
    samples[64 * 30 : 64 * 45] = np.nan
    signal = Signal(samples, 64.0, kind="bvp", quality=np.where(np.isfinite(samples), 0.9, 0.0))
    return write_wave(signal, tmp_path / "wave.csv")


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_has_the_width_and_text_that_stays_text(kind, request, tmp_path) -> None:
    files = {"conditions": "feature_table", "tachogram": "wave", "circumplex": "prediction"}
    file = request.getfixturevalue(files.get(kind, "curves"))
    out = tmp_path / "figure.svg"
    caption = write_figure(kind, file, out, width="double")
    assert size_mm(out)[0] == pytest.approx(180, abs=0.1)
    shown = texts(out)
    assert re.sub(r"\s+", " ", caption) in re.sub(r"\s+", " ", " ".join(shown))
    assert "ithheld" in caption or "gap" in caption
    sizes = re.findall(r"font: ([\d.]+)px|font-size: ([\d.]+)px", out.read_text("utf-8"))
    assert {float(a or b) for a, b in sizes} <= {6.0, 7.0, 7.5, 8.0}
    before = out.read_bytes()
    write_figure(kind, file, out, width="double")
    assert out.read_bytes() == before  # no date, no random names


@pytest.mark.parametrize(("width", "mm"), [("single", 85), ("120", 120)])
def test_a_figure_has_the_width_that_is_asked_for(width, mm, prediction, tmp_path) -> None:
    write_figure("circumplex", prediction, tmp_path / "f.svg", width=width)
    assert size_mm(tmp_path / "f.svg")[0] == pytest.approx(mm, abs=0.1)


def test_png_has_300_dots_per_inch_and_pdf_has_fonts(feature_table, tmp_path) -> None:
    from PIL import Image

    write_figure("conditions", feature_table, tmp_path / "f.png")
    with Image.open(tmp_path / "f.png") as image:
        assert image.width == pytest.approx(85 / 25.4 * 300, abs=1)
    write_figure("conditions", feature_table, tmp_path / "f.pdf")
    assert b"/CIDFontType2" in (tmp_path / "f.pdf").read_bytes()  # TrueType: fonttype 42


def test_conditions_are_means_of_people(feature_table, table, tmp_path) -> None:
    figure, caption = figures.conditions(feature_table, FigureOptions(), 180)
    labelled = table.dropna(subset=["label_arousal", "hr_bpm"])
    means = labelled.groupby(["subject", labelled["label_arousal"] > 5])["hr_bpm"].mean().unstack()
    left = figure.axes[0]
    assert sorted(tuple(line.get_ydata()) for line in left.lines[:4]) == sorted(
        map(tuple, means.to_numpy())
    )
    assert [t.get_text() for t in left.get_xticklabels()] == ["low\nn = 4", "high\nn = 4"]
    diamonds = [line.get_ydata()[0] for line in left.lines if line.get_marker() == "D"]
    assert diamonds == pytest.approx(means.mean().tolist())
    assert "means of 4 people" in caption
    assert "Withheld: heart rate in 1, RMSSD in 1 of 48 windows." in caption


def test_withheld_values_are_not_drawn_as_zero(feature_table) -> None:
    figure, _ = figures.conditions(feature_table, FigureOptions(), 85)
    drawn = np.concatenate([line.get_ydata() for line in figure.axes[0].lines])
    assert np.nanmin(drawn) > 30


def test_conditions_may_be_a_column_in_a_given_order(feature_table) -> None:
    options = FigureOptions(target="trial", order="3, 0")
    figure, caption = figures.conditions(feature_table, options, 85)
    labels = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert labels == ["3\nn = 5", "0\nn = 5"]
    assert "of 30 windows" in caption


def test_the_tachogram_shows_gaps_and_marks_beats() -> None:
    beats = Beats(
        [0, 1, 2, 6, 6.6, 8, 9],
        gaps=[(2.5, 5.5)],
        ectopic=[False, False, False, False, True, False, False],
        corrected=[False, True, False, False, False, False, False],
        rejected_s=[3.0, 4.0],
        span_s=(0.0, 10.0),
    )
    axis = plot_beats_and_gaps(beats).axes[0]
    (gap,) = axis.patches
    assert (gap.get_x(), gap.get_width()) == (2.5, 3.0)
    line, ectopic, corrected, rejected = axis.lines
    np.testing.assert_allclose(line.get_ydata(), [1000, 1000, np.nan, 600, 1400, 1000])
    np.testing.assert_allclose(ectopic.get_ydata(), [600, 1400])
    np.testing.assert_allclose(corrected.get_ydata(), [1000, 1000])
    assert rejected.get_xdata().tolist() == [3, 4]
    assert caption_of(beats) == (
        "7 beats in 10 s; withheld: 3 s (30%) in gaps; 1 ectopic beats; 1 corrected beats; "
        "2 rejected detections."
    )
    assert caption_of(Beats([0, 1, 2])) == "3 beats in 2 s; no gap."


def test_a_part_of_a_wave_is_drawn(wave) -> None:
    figure, caption = figures.tachogram(wave, FigureOptions(start_s=25.0, seconds=30.0), 85)
    assert figure.axes[0].get_xlim() == (25, 55)
    assert figure.axes[0].patches
    share = re.search(r"in 30 s; withheld: (\d+) s", caption)
    assert share is not None
    assert 15 <= int(share[1]) <= 20
    with pytest.raises(InputError, match=r"nothing from 500 to 530 s: .* is from 0.0 to 90.0 s"):
        figures.tachogram(wave, FigureOptions(start_s=500.0, seconds=30.0), 85)


def test_the_circumplex_draws_predicted_windows_alone(prediction) -> None:
    figure, caption = figures.circumplex(prediction, FigureOptions(), 85)
    axis = figure.axes[0]
    points = axis.collections[0].get_offsets().filled(np.nan)
    np.testing.assert_allclose(
        points[np.isfinite(points).all(axis=1)], [[5.5, 0.2], [3.0, 0.9], [4.0, 0.7]]
    )
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("valence", "p(arousal high)")
    assert "Withheld: 1 of 4 windows not predicted: no clear pulse" in caption


def test_one_of_several_recordings_is_chosen(prediction, tmp_path) -> None:
    rows = pd.read_csv(prediction)
    both = pd.concat([rows, rows.assign(trial="b", valence=1.0)])
    path = write_table(both, tmp_path / "both.csv")
    with pytest.raises(InputError, match=r"2 recordings: choose .* such as d/1/1/a, d/1/1/b"):
        figures.circumplex(path, FigureOptions(), 85)
    figure, _ = figures.circumplex(path, FigureOptions(recording="d/1/1/b"), 85)
    assert set(figure.axes[0].lines[0].get_xdata()) == {1.0}
    withheld = write_table(rows.assign(valence=np.nan), tmp_path / "none.csv")
    with pytest.raises(InputError, match="all 4 windows are withheld"):
        figures.circumplex(withheld, FigureOptions(), 85)


def test_event_curves_have_mean_band_people_and_counts(curves) -> None:
    figure, caption = figures.event_curves(curves, FigureOptions(), 85)
    (axis,) = figure.axes
    assert axis.get_title() == "tone\n3 people, 12 events"
    person, mean = axis.lines[:2]
    np.testing.assert_allclose(mean.get_ydata(), np.arange(-2, 4) / 2)
    np.testing.assert_allclose(person.get_ydata(), np.arange(-2, 4))
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (-2, 2.5)
    assert caption.endswith("Withheld events: 2 (tone).")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "pie"}, "unknown figure 'pie'; known: conditions (of a feature table); "),
        ({"out": "f.jpg"}, "unknown format of 'f.jpg': end the name with .svg, .pdf, .png"),
        ({"width": "wide"}, "width is 'wide': want single (85 mm), double (180 mm)"),
        ({"width": "4000"}, "millimetres from 40 to 400"),
        ({"seconds": 3.0}, "conditions takes no seconds; its options are target, coding, order"),
        ({"target": "joy"}, "unknown target 'joy': --target is one of arousal, trial, session"),
        ({"coding": "as_is"}, "arousal is a number, not a condition: give --coding midpoint"),
        ({"order": "low,low"}, "--order low,low: want some of low, high, each once"),
    ],
)
def test_a_wrong_request_says_what_is_wanted(feature_table, change, message) -> None:
    given = {"kind": "conditions", "file": feature_table, "out": "f.svg"} | change
    with pytest.raises(InputError, match=re.escape(message)):
        write_figure(**given)


def test_a_table_of_something_else_is_refused(feature_table, curves, tmp_path) -> None:
    with pytest.raises(InputError, match="has no curves: no column level, person, time_s"):
        write_figure("event-curves", feature_table, tmp_path / "f.svg")
    with pytest.raises(InputError, match="no prediction of valence"):
        write_figure("circumplex", feature_table, tmp_path / "f.svg", recording="d/s0/1/0")
    assert not list(tmp_path.glob("f.*"))


def test_the_command_line_writes_figure_and_provenance(feature_table, tmp_path) -> None:
    out = tmp_path / "figures" / "stress.svg"
    words = ["figure", "conditions", str(feature_table), "--out", str(out), "--json"]
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 0, run.output
    result = json.loads(run.output.splitlines()[-1])
    assert result["out"] == str(out)
    assert "Withheld: heart rate in 1" in result["caption"]
    record = json.loads((out.parent / "run.json").read_text(encoding="utf-8"))
    assert (record["verb"], record["output"]) == ("figure", "stress.svg")
    run = CliRunner().invoke(app, [*words[:3], "--out", str(tmp_path / "x.bmp")])
    assert run.exit_code == 2


def test_the_colours_stay_apart_without_red_or_green_vision() -> None:
    """Blue and orange differ in lightness or in blue, which both kinds of dichromats see."""
    from matplotlib.colors import to_rgb

    from emotion_rppg.report.plots.signals import BLUE, ORANGE

    blue, orange = np.array(to_rgb(BLUE)), np.array(to_rgb(ORANGE))
    assert abs(blue[2] - orange[2]) > 0.5


def test_widths_are_those_of_journals() -> None:
    assert journal.WIDTHS_MM == {"single": 85.0, "double": 180.0}
    assert journal.width_mm("85") == journal.width_mm("single")

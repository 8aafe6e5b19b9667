"""The report is a page that fetches nothing, escapes what it shows, draws what it is given."""

import base64
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.features.hrv.measures import COLUMNS
from emotion_rppg.report.data_dictionary import write_dictionary
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.report.plots import signals
from emotion_rppg.signals import Beats, Signal


@pytest.fixture
def wave() -> Signal:
    t = np.arange(900) / 30
    samples = np.sin(2 * np.pi * 1.2 * t)
    samples[300:330] = np.nan
    return Signal(samples, 30.0, kind="rppg", quality=np.where(np.isfinite(samples), 0.9, 0.0))


def test_a_page_loads_nothing_and_escapes_its_text(tmp_path, wave) -> None:
    table = pd.DataFrame({"head": ["<script>alert(1)</script>"], "mean": [0.51234], "p": [np.nan]})
    sections = [
        Section(
            "One", ["a < b"], [(signals.plot_waves({"POS": wave}), "the wave")], table, "caption"
        ),
        Section("Two", code="emotion-rppg demo", warning="no evidence"),
    ]
    path = write_page(Page("Title", "lead", sections), tmp_path / "report.html")
    html = path.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "a &lt; b" in html
    assert "0.512" in html
    assert ">nan<" not in html.lower()
    links = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert links
    assert all(link.startswith("data:") for link in links)
    assert "http:" not in html
    assert "https:" not in html
    assert re.search(r'class="made">\d+ [A-Z][a-z]+ 20\d\d, by emotion_rppg \d', html)
    assert "default-src 'none'" in html  # and what would slip in, a browser does not fetch


def test_figures_and_tables_are_numbered_and_listed_in_the_contents(tmp_path, wave) -> None:
    figures = [(signals.plot_waves({"a": wave}), "a wave"), (signals.plot_waves({"a": wave}), "it")]
    table = pd.DataFrame({"a": [1.0]})
    sections = [
        Section("One & two", figures=figures, table=table, table_caption="of one"),
        *(Section(f"Part {k}", table=table, table_caption=f"of {k}") for k in range(4)),
    ]
    page = Page("T", "lead", sections, closing="Withheld: nothing.")
    html = write_page(page, tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall(r"<b>Figure (\d+)\.</b> ([\w ]+)", html) == [("1", "a wave"), ("2", "it")]
    captions = re.findall(r"<b>Table (\d+)\.</b> of (\w+)", html)
    assert captions == [("1", "one"), *((str(k + 2), str(k)) for k in range(4))]
    listed = re.findall(r'<li><a href="#(\w+)">([^<]+)</a>', html)
    places = re.findall(r'<section id="(\w+)">\s*<h2>([^<]+)</h2>', html)
    assert listed == places
    assert listed[0] == ("s1", "One &amp; two")
    assert html.index("Withheld: nothing.") > html.rindex("</section>")


def test_a_wave_is_drawn_with_its_own_beats_and_with_gaps(wave) -> None:
    beats = Beats(np.arange(0.2, 30, 1 / 1.2), gaps=[(10.0, 11.0)])
    figure = signals.plot_waves(
        {"a": wave, "b": wave}, beats={"a": beats}, start_s=9.0, seconds=4.0
    )
    above, below = figure.axes
    dots = [line for line in above.lines if line.get_marker() == "o"]
    assert len(dots) == len(beats.crop(9.0, 13.0))
    assert not [line for line in below.lines if line.get_marker() == "o"]
    drawn = above.lines[0].get_xydata()
    assert np.isnan(drawn[(drawn[:, 0] > 10.01) & (drawn[:, 0] < 10.99), 1]).all()


def test_a_tachogram_breaks_at_gaps() -> None:
    figure = signals.plot_tachogram({"x": Beats([0, 1, 2, 6, 7, 8], gaps=[(2.5, 5.5)])})
    y = figure.axes[0].lines[0].get_ydata()
    assert np.isnan(y).tolist() == [False, False, True, False, False]


def test_a_figure_becomes_a_picture_inside_the_page(wave) -> None:
    head, content = signals.as_data_uri(signals.plot_waves({"a": wave})).split(",")
    assert head == "data:image/svg+xml;base64"
    drawing = base64.b64decode(content).decode("utf-8")
    assert ElementTree.fromstring(drawing).tag == "{http://www.w3.org/2000/svg}svg"
    assert "<text" not in drawing  # outlines: the reader may lack the font


def test_every_column_is_explained(tmp_path) -> None:
    columns = ["subject", "label_arousal", "scale_arousal", "emb_000", "quality", *COLUMNS]
    table = pd.DataFrame(columns=columns)
    text = write_dictionary(table, tmp_path / "t.columns.md").read_text(encoding="utf-8")
    for name in columns:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        assert len(row.split("|")[3].strip()) > 5, name

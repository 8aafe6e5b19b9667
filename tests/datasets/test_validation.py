"""Checking a download lists what disagrees with the card, and nothing else."""

from dataclasses import replace

import numpy as np

from emotion_rppg.datasets.folder import Folder
from emotion_rppg.datasets.validation import list_problems, measure_rates, people_with_same_pulse
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Recording
from emotion_rppg.signals import Signal

CARD = replace(Folder.card, people=3, rates_hz={"bvp": 64.0})
WAVE = Signal(np.sin(np.arange(640) / 9), 64, kind="bvp")


def recordings(**bvp) -> list[Recording]:
    """Three people with two trials each; ``p1=…`` puts another pulse into a first trial."""
    return [
        Recording("d", name, trial=trial, signals={"bvp": bvp.get(name, WAVE)})
        for name in ("p1", "p2", "p3")
        for trial in "12"
    ]


def test_a_complete_download_has_no_problem() -> None:
    assert list_problems(CARD, recordings()) == []


def test_each_disagreement_with_the_card_is_listed() -> None:
    def broken() -> Signal:
        raise InputError("x.csv cannot be read")

    mostly_missing = np.where(np.arange(640) < 500, np.nan, WAVE.samples)
    for changed, message in (
        ({"p1": replace(WAVE, rate_hz=128)}, "d/p1/1/1: bvp at 128 Hz, the card says 64"),
        ({"p2": replace(WAVE, samples=np.ones(640))}, "d/p2/1/1: the bvp is flat"),
        (
            {"p3": replace(WAVE, samples=mostly_missing)},
            "d/p3/1/1: only 22% of the bvp samples are valid",
        ),
        ({"p1": broken}, "x.csv cannot be read"),
    ):
        assert list_problems(CARD, recordings(**changed)) == [message]
    assert list_problems(CARD, recordings()[:5]) == ["subject p3: 1 recordings, the others have 2"]
    assert list_problems(CARD, recordings()[:4]) == ["2 people, the card says 3"]


def test_rates_are_those_of_the_first_person_who_can_be_read() -> None:
    def broken() -> Signal:
        raise InputError("x.csv cannot be read")

    assert measure_rates(recordings(p1=broken, p2=replace(WAVE, rate_hz=32))) == {"bvp": 32}
    assert measure_rates(recordings(p1=broken, p2=broken, p3=broken)) == {}


def test_people_with_the_same_pulse_are_listed() -> None:
    mine = [
        Recording("a", name, signals={"bvp": replace(WAVE, samples=np.sin(np.arange(640) / k))})
        for name, k in (("p1", 9), ("p2", 8), ("p3", 7))
    ]
    again = replace(WAVE, samples=5 + 3 * np.sin(np.arange(640) / 8))  # in another unit
    flat = replace(WAVE, samples=np.ones(640))
    twin, flats = Recording("b", "x", signals={"bvp": again}), {"bvp": flat}
    assert people_with_same_pulse([mine]) == []
    assert people_with_same_pulse([mine, [twin]]) == ["b/x has the same bvp as a/p2"]
    assert people_with_same_pulse([[*mine, replace(mine[0], subject="p4")]]) == [
        "a/p4 has the same bvp as a/p1"
    ]
    assert people_with_same_pulse([[Recording("a", name, signals=flats) for name in "12"]]) == []
    assert people_with_same_pulse([[mine[0], replace(mine[0], trial="2")]]) == []

"""Checking a download lists what disagrees with the card, and nothing else."""

from dataclasses import replace

import numpy as np

from emotion_rppg.datasets.folder import Folder
from emotion_rppg.datasets.validation import (
    label_ranges,
    list_matches,
    list_problems,
    measure,
    measure_durations,
    measure_rates,
    people_with_same_pulse,
    summarise_differences,
    summarise_rates,
)
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Recording
from emotion_rppg.signals import Beats, Signal

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

    assert measure_rates(measure(recordings(p1=broken, p2=replace(WAVE, rate_hz=32)))) == {
        "bvp": 32
    }
    assert measure_rates(measure(recordings(p1=broken, p2=broken, p3=broken))) == {}


def test_durations_are_the_shortest_and_longest_of_first_recordings() -> None:
    short = replace(WAVE, samples=WAVE.samples[:320])
    assert measure_durations(measure(recordings(p2=short))) == {"bvp": (5.0, 10.0)}
    belt = [Recording("d", "p", signals={"rr": Beats(np.arange(9.0))})]
    assert measure_durations(measure(belt)) == {"rr": (8.0, 8.0)}


def test_what_agrees_with_the_card_is_listed_and_nothing_else() -> None:
    card = replace(CARD, scales={"arousal": (1, 9)})
    rated = [replace(r, labels={"arousal": 9.0, "film": "x"}) for r in recordings()]
    assert list_matches(card, rated, measure(rated)) == [
        "3 people",
        "bvp at 64 Hz in 3 of 3 people",
        "arousal within 1 to 9",
    ]
    other = [replace(r, labels={"arousal": 10.0}) for r in recordings(p1=replace(WAVE, rate_hz=32))]
    assert list_matches(card, other[:4], measure(other[:4])) == []
    assert label_ranges(rated) == {"arousal": (9.0, 9.0)}


def test_signals_and_ratings_that_the_card_lists_must_be_there() -> None:
    card = replace(CARD, scales={"arousal": (1, 9)}, modalities=("video", "bvp", "ecg"))
    published = replace(card, reference="Somebody (2020)")
    beyond = [replace(r, labels={"arousal": 10.0}) for r in recordings()]
    scale = "arousal goes from 10 to 10, the card says 1 to 9"
    assert list_problems(card, beyond) == [scale]  # a folder of the user may have anything
    assert list_problems(published, beyond) == [
        "no recording has video, ecg, which the card lists",
        scale,
    ]
    assert list_problems(card, recordings()) == [
        "no recording has a rating of arousal, which the card lists"
    ]


def test_where_no_number_of_recordings_is_usual_none_is_a_problem() -> None:
    songs = [
        Recording("d", name, trial=str(k), signals={"bvp": WAVE})
        for name, count in (("p1", 2), ("p2", 3), ("p3", 4))
        for k in range(count)
    ]
    assert list_problems(CARD, songs) == []


def test_heart_rates_are_summarised_over_people_and_compared_within_a_recording() -> None:
    rates = iter(({"bvp": 60.0, "rr": 61.0}, {"bvp": 80.0, "rr": 84.0}, {"bvp": np.nan, "rr": 70}))
    measured = measure(recordings(), rates_of=lambda pulses: next(rates))
    assert summarise_rates(measured) == {
        "bvp": {"lowest": 60, "highest": 80, "people": 2, "withheld": 1},
        "rr": {"lowest": 61, "highest": 84, "people": 3, "withheld": 0},
    }
    assert summarise_differences(measured) == {
        "bvp and rr": {"median": 2.5, "greatest": 4, "people": 2}
    }


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

"""Stimuli appear at their onsets, and the saved onset is when the window had been drawn."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.video.screen import BLANK, Screen, read_stimuli


def table(folder: Path, text: str) -> Path:
    for k, name in enumerate(("calm.png", "snake.png")):
        cv2.imwrite(str(folder / name), np.full((4, 4, 3), 50 * (k + 1), np.uint8))
    path = folder / "stimuli.csv"
    path.write_text("onset,duration,trial_type,value\n" + text)
    return path


def test_pictures_appear_and_go_at_their_times(tmp_path) -> None:
    path = table(tmp_path, "4,2,fear,snake.png\n1,2,calm,calm.png\n")
    drawn: list[tuple[float, int]] = []
    now = [0.0]

    def show(picture: np.ndarray) -> None:
        drawn.append((now[0], int(picture[0, 0, 0])))
        now[0] += 0.01  # drawing takes time

    screen = Screen(read_stimuli(path), show=show)
    shown = []
    for k in range(140):
        now[0] = k * 0.05
        shown.append(screen.update(lambda: now[0]))
    blank = int(BLANK[0, 0, 0])
    times, levels = zip(*drawn, strict=True)
    assert times == pytest.approx((0, 1, 3, 4, 6))
    assert levels == (blank, 50, blank, 100, blank)
    events = [event for event in shown if event]
    assert [(event.onset_s, event.name, event.value) for event in events] == [
        (pytest.approx(1.01), "calm", "calm.png"),
        (pytest.approx(4.01), "fear", "snake.png"),
    ]
    assert screen.end_s == 6


def test_every_fault_of_a_table_is_listed_before_anything_is_shown(tmp_path) -> None:
    path = table(tmp_path, "1,2,calm,calm.png\n2,1,fear,snake.png\n5,,fear,lost.png\n")
    with pytest.raises(InputError) as error:
        read_stimuli(path)
    assert "at 2 s begins before 3 s" in str(error.value)
    assert "at 5 s: no picture 'lost.png'" in str(error.value)
    assert "at 5 s: no duration" in str(error.value)
    with pytest.raises(InputError, match="has no stimulus"):
        read_stimuli(table(tmp_path, ""))

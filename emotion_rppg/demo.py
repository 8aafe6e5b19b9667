"""The whole chain on synthetic people, end to end: what `emotion-rppg demo` does.

Everything is read back from real files through the same readers that a study of one's own goes
through. A functional check: these hearts obey the ratings by construction.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.checkpoints import whole_folder
from emotion_rppg.provenance import write_run
from emotion_rppg.report import figures
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

PEOPLE, TRIALS, SECONDS, SIZE = 8, 4, 60.0, 160
TARGETS = ("arousal", "valence")
Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]

"""The state of the page for correcting beats: the detection, the edits so far, undo and redo."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.app.beats.views import DOUBTFUL, Envelope, doubts, peak_near
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.correction import Corrected, Failed, correct_beats, holes_of
from emotion_rppg.features.beats.edits import Edit
from emotion_rppg.features.trust import beats_of, wave_of
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.provenance import identity
from emotion_rppg.signals import Pulse
from emotion_rppg.study.acquisition import Reading
from emotion_rppg.study.beats_file import (
    BeatsFile,
    WaveEdits,
    WaveIdentity,
    beats_path,
    file_of,
    rounded,
    write_beats_file,
)
from emotion_rppg.study.corrections import stored_edits

LISTED = 200  # edits in the page's list
_MARGIN = 100  # beats beside a part that its rhythm may depend on
_PATCH_S = 60.0  # around an edit: beats farther away do not change
_EDITED, _ECTOPIC, _JOINED = 1, 2, 4


class Session:
    """The correction of the beats of one wave; safe to use from several threads.

    Parameters
    ----------
    recording, reading : Recording, Reading
        The recording, and how its pulse is read.
    pulse : Signal or Beats
        The wave, or the beats of a device without a wave.
    by : str
        Name of the person who corrects.
    person : int, optional
        Number of the person with ``face="all"``.

    Raises
    ------
    InputError
        The recording is not in a file of its own, or its file of corrected beats is damaged.
    """

    def __init__(
        self,
        recording: Recording,
        reading: Reading,
        pulse: Pulse,
        *,
        by: str,
        person: int | None = None,
    ) -> None:
        file = file_of(recording, reading)
        if file is None:
            raise InputError(
                f"{recording.name} is read by the reader of a data set; corrected beats are stored "
                "beside a file: give the path of a recording of your own"
            )
        self.file, self.path = file, beats_path(file)
        self.wave_identity = WaveIdentity.of(recording, reading, person)
        content, stored = stored_edits(recording, reading, person)
        self._content = content or BeatsFile(identity(file))
        self._version = _version(self.path)
        self.wave, self.detected = wave_of(pulse), beats_of(pulse)
        self._holes = [] if self.wave is None else holes_of(self.wave)
        self.envelope = None if self.wave is None else Envelope(self.wave)
        self.who = by.strip()
        before = self._correct(stored.edits if stored else ())
        self.lost: tuple[Failed, ...] = before.failed
        self.anew = stored is not None and not stored.same_detection(self.detected.times_s)
        self.edits: list[Edit] = list(before.applied)
        self._saved: list[Edit] = list(self.edits)
        self._loaded = len(self.edits)
        self._redo: list[Edit] = []
        self._corrected = before
        self._lock = threading.RLock()

    def _correct(self, edits: Sequence[Edit]) -> Corrected:
        return correct_beats(self.detected, edits, holes=self._holes)

    # ---- reading ---------------------------------------------------------------------------------

    @property
    def corrected(self) -> Corrected:
        """The beats after all edits."""
        return self._corrected

    @property
    def unsaved(self) -> int:
        """Number of edits by which the session differs from the file."""
        same = 0
        for mine, saved in zip(self.edits, self._saved, strict=False):
            if mine != saved:
                break
            same += 1
        return max(len(self.edits), len(self._saved)) - same

    def info(self) -> dict[str, Any]:
        """Describe the recording, for the head of the page."""
        with self._lock:
            span = self.detected.span_s or (0.0, 0.0)
            return {
                "name": self.file.name,
                "wave": str(self.wave_identity),
                "kind": self.wave_identity.kind,
                "has_wave": self.wave is not None,
                "rate_hz": None if self.wave is None else self.wave.rate_hz,
                "span_s": list(span),
                "doubtful": DOUBTFUL,
                "who": self.who,
                "file": self.path.name,
                "anew": self.anew,
                "lost": [f"{edit}: {reason}" for edit, reason in self.lost],
                "detected": len(self.detected),
            }

    def state(self, around: tuple[float, float] | None = None) -> dict[str, Any]:
        """Describe beats and edits; ``around``: only the beats near a segment, s."""
        with self._lock:
            beats = self._corrected.beats
            a, b = (-np.inf, np.inf)
            if around is not None:
                a, b = around[0] - _PATCH_S, around[1] + _PATCH_S
            own = (beats.times_s >= a) & (beats.times_s <= b)
            doubt = self._doubts(own)
            flags = np.zeros(len(beats), dtype=int)
            for bit, mask in ((_EDITED, beats.edited), (_ECTOPIC, beats.ectopic)):
                flags += 0 if mask is None else bit * mask
            flags[:-1] += _JOINED * beats.joined
            confidence = beats.confidence
            rejected = np.zeros(0) if beats.rejected_s is None else beats.rejected_s
            return {
                "from_s": None if around is None else a,
                "to_s": None if around is None else b,
                "times_s": np.round(beats.times_s[own], 4).tolist(),
                "confidence": []
                if confidence is None
                else np.round(np.nan_to_num(confidence[own]), 3).tolist(),
                "flags": flags[own].tolist(),
                "doubt": np.round(doubt, 3).tolist(),
                "rejected_s": np.round(rejected, 4).tolist(),
                "gaps": [[round(c, 4), round(d, 4)] for c, d in beats.gaps],
                "noise": [[round(c, 4), round(d, 4)] for c, d in self._corrected.noise],
                "edits": len(self.edits),
                "list": [_listed(k, e) for k, e in enumerate(self.edits, 1)][-LISTED:],
                "unsaved": self.unsaved,
                "can_undo": len(self.edits) > self._loaded,
                "can_redo": bool(self._redo),
            }

    def _doubts(self, own: np.ndarray) -> np.ndarray:
        """Compute the doubt of some successive beats; beats far from them do not matter."""
        beats, at = self._corrected.beats, np.flatnonzero(own)
        if not len(at):
            return np.zeros(0)
        first, stop = max(at[0] - _MARGIN, 0), at[-1] + 1 + _MARGIN
        near = beats.select(np.arange(len(beats))[first:stop])
        return doubts(near, noise=self._corrected.noise)[at - first]

    def view(self, start_s: float, end_s: float, bins: int) -> dict[str, Any]:
        """Compute what is drawn of the wave in a segment, s."""
        if self.envelope is None:
            return {"start_s": start_s, "step_s": 1.0, "low": [], "high": [], "quality": []}
        return self.envelope.between(start_s, end_s, bins)

    def peak(self, time_s: float) -> float:
        """Find the peak of the wave near a time, s."""
        return time_s if self.wave is None else peak_near(self.wave, time_s)

    # ---- editing ---------------------------------------------------------------------------------

    def edit(
        self, action: str, time_s: float, to_s: float | None = None, why: str = ""
    ) -> dict[str, Any]:
        """Apply one edit and return the state around it.

        Raises
        ------
        InputError
            The edit is not possible, with the reason; nothing is changed.
        """
        with self._lock:
            if not self.who:
                raise InputError("nobody is named: write your name in the field “by” first")
            now = datetime.now(UTC).isoformat(timespec="seconds")
            new = rounded(Edit(action, time_s, to_s, self.who, now, why))
            corrected = self._correct([*self.edits, new])
            if corrected.failed:
                raise InputError(corrected.failed[0].reason)
            self.edits.append(new)
            self._redo.clear()
            self._corrected = corrected
            return self.state(new.span_s)

    def undo(self) -> dict[str, Any]:
        """Take the last edit of this session back; return the state around it."""
        with self._lock:
            if len(self.edits) <= self._loaded:
                raise InputError("nothing to undo in this session")
            edit = self.edits.pop()
            self._redo.append(edit)
            return self._again(edit)

    def redo(self) -> dict[str, Any]:
        """Repeat the edit that was taken back last; return the state around it."""
        with self._lock:
            if not self._redo:
                raise InputError("nothing to redo")
            edit = self._redo.pop()
            self.edits.append(edit)
            return self._again(edit)

    def _again(self, edit: Edit) -> dict[str, Any]:
        self._corrected = self._correct(self.edits)
        return {**self.state(edit.span_s), "at_s": edit.span_s[0], "edit": str(edit)}

    def name(self, who: str) -> dict[str, Any]:
        """Set the name of the person who makes the next edits."""
        with self._lock:
            Edit("add", 0.0, who=who)  # checks its length
            self.who = who.strip()
            return {"who": self.who}

    def save(self) -> dict[str, Any]:
        """Write the file of corrected beats beside the recording; return its name.

        Raises
        ------
        InputError
            Somebody else changed the file since it was read, or it cannot be written.
        """
        with self._lock:
            if _version(self.path) != self._version:
                raise InputError(
                    f"{self.path.name} was changed by another program meanwhile: nothing was "
                    "saved. Move one of the two aside, then save again or open the recording anew"
                )
            wave = self.wave
            edits = WaveEdits(
                self.wave_identity,
                None if wave is None else wave.rate_hz,
                None if wave is None else len(wave),
                self.detected.times_s,
                tuple(self.edits),
            )
            self._content = self._content.with_edits(edits)
            write_beats_file(self.path, self._content)
            self._version = _version(self.path)
            self._saved = list(self.edits)
            self.lost, self.anew = (), False
            return {"file": self.path.name, "edits": len(self.edits), "unsaved": 0}


def _version(path: Path) -> str:
    """Compute the SHA-256 of a file; empty if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _listed(number: int, edit: Edit) -> dict[str, Any]:
    """Describe an edit for the page's list."""
    return {
        "number": number,
        "text": str(edit),
        "time_s": edit.time_s,
        "who": edit.who,
        "when": edit.when,
        "why": edit.why,
    }

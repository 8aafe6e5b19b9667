"""WESAD (Schmidt et al. 2018): signals of wrist and chest at rest, stress, amusement, meditation.

`SX/SX.pkl` holds all signals on one clock with the protocol's labels at 700 Hz; `SX/SX_quest.csv`
has the order of the conditions, their times and the ratings. Its times are *minutes.seconds*:
``2.5`` is 2 min 50 s. For a person without a pickle only the wrist's signals are read, from the raw
E4 session `SX/SX_E4_Data.zip` (or the folder of that name).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from emotion_rppg.datasets.base import DatasetReader, crop_complete, load_cached
from emotion_rppg.datasets.respiban import RATES_HZ, channel, read_body
from emotion_rppg.errors import InputError
from emotion_rppg.formats.empatica import FILE_OF, kinds_in_session, presses, read_kind
from emotion_rppg.formats.safe_io import load_pickle
from emotion_rppg.formats.text_tables import load_text, number
from emotion_rppg.recordings import Card, Event, Recording
from emotion_rppg.signals import Signal

CODES = {"Base": 1, "TSST": 2, "Fun": 3, "Medi 1": 4, "Medi 2": 4}
NAMES = {1: "baseline", 2: "stress", 3: "amusement", 4: "meditation"}
STRESS = {1: 0.0, 2: 1.0, 3: 0.0}  # the usual two classes; meditation is in neither
_LABEL_HZ = 700.0
_CLOCK_TOLERANCE_S = 10.0  # tolerance of the offset between labels and protocol within one session
# Person -> offset (s) from a condition's START to its labels on the raw E4's clock, as inferred
# from the released labels, which omit about 20 s of each condition.
E4_OFFSET_S = {
    **{2: 1423.6, 3: 1039.4, 4: 1408.9, 5: 1196.7, 6: 1172.3, 7: 1145.7, 8: 1051.0, 9: 928.8},
    **{10: 1203.8, 11: 1130.9, 13: 1202.5, 14: 1299.5, 15: 1152.5, 16: 1304.4, 17: 1188.2},
}
_TRIMMED_S = 20.0


class Wesad(DatasetReader):
    """List one recording for each rated condition of a person, in chronological order.

    ``start_s`` of the signals counts from the start of the person's pickle. Reading checks that the
    labels in the pickle match the protocol of the questionnaire. Without the pickle it counts from
    the start of the E4 session, and `E4_OFFSET_S` gives the position of the conditions.
    """

    card = Card(
        name="wesad",
        title="WESAD",
        people=15,
        modalities=tuple(RATES_HZ),
        rates_hz=RATES_HZ,
        scales={"arousal": (1, 9), "valence": (1, 9), "stress": (0, 1)},
        class_names={"stress": ("baseline or amusement", "stress")},
        access="open",
        licence="for research, see the authors' readme",
        reference=(
            "Schmidt P, Reiss A, Duerichen R, Marberger C, Van Laerhoven K (2018). Introducing "
            "WESAD, a multimodal dataset for wearable stress and affect detection. ICMI, 400–408."
        ),
        url="https://doi.org/10.1145/3242969.3242985",
        verified="verified in part on real files (questionnaires and wrist pulse of people 2–8; "
        "the pickle from documents)",
        traps=(
            "times in quest.csv are minutes.seconds: 2.5 is 2 min 50 s",
            "the order of conditions differs between people",
            "the clocks of the raw E4 and the questionnaire differ by 15 to 24 minutes, which no "
            "file documents; without the pickle, offsets inferred from its labels are used",
            "one stress task per person: stress and speaking cannot be separated",
        ),
        bibtex="""@inproceedings{schmidt2018wesad,
  author = {Schmidt, Philip and Reiss, Attila and Duerichen, Robert and Marberger, Claus and
            Van Laerhoven, Kristof},
  title = {Introducing {WESAD}, a Multimodal Dataset for Wearable Stress and Affect Detection},
  booktitle = {International Conference on Multimodal Interaction (ICMI)},
  pages = {400--408}, year = {2018}, doi = {10.1145/3242969.3242985}
}""",
    )

    expected = "S*/S*_quest.csv"

    def recordings(self) -> Iterator[Recording]:
        people = [p for p in self.root.glob("S*") if p.is_dir() and p.name[1:].isdigit()]
        for person in sorted(people, key=lambda p: int(p.name[1:])):
            yield from _person_recordings(person / f"{person.name}.pkl")

    def sessions(self) -> Iterator[Recording]:
        """Yield the session of each person; its events are the conditions, and the presses (tag).

        The released labels, which place the conditions, omit about 20 s of each.
        """
        people = [p for p in self.root.glob("S*") if p.is_dir() and p.name[1:].isdigit()]
        for person in sorted(people, key=lambda p: int(p.name[1:])):
            yield _person_session(person / f"{person.name}.pkl")


@dataclass(frozen=True)
class Condition:
    """A condition of the protocol: name, START and END in seconds, ratings 1–9."""

    name: str
    start_s: float
    end_s: float
    valence: float
    arousal: float


def _trial_name(condition: str) -> str:
    return condition.lower().replace(" ", "")


def _raw_session(path: Path) -> Path:
    """Find the raw E4 session of a person, the folder before the zip; the pickle replaces it."""
    found = sorted(path.parent.glob(f"{path.stem}_E4_Data*"))
    if not path.is_file() and not found:
        raise InputError(
            f"no file {str(path)!r}, nor a raw {path.stem}_E4_Data.zip: the data set is "
            "incomplete, unpack it again"
        )
    return found[0] if found else path


def _person_recordings(path: Path) -> list[Recording]:
    quest, e4 = path.with_name(f"{path.stem}_quest.csv"), _raw_session(path)
    out = []
    e4_kinds = [] if path.is_file() else kinds_in_session(e4)
    for condition in read_quest(quest):
        code = CODES[condition.name]
        labels: dict[str, float | str] = {
            "arousal": condition.arousal,
            "valence": condition.valence,
            "condition": NAMES[code],
        }
        if code in STRESS:
            labels["stress"] = STRESS[code]
        out.append(
            Recording(
                Wesad.card.name,
                path.stem[1:],
                trial=_trial_name(condition.name),
                labels=labels,
                scales={k: v for k, v in Wesad.card.scales.items() if k in labels},
                signals=(
                    {k: partial(_read_signal, path, quest, condition.name, k) for k in RATES_HZ}
                    if path.is_file()
                    else {k: partial(_read_e4, e4, path.stem, condition, k) for k in e4_kinds}
                ),
            )
        )
    return out


def _person_session(path: Path) -> Recording:
    quest, e4 = path.with_name(f"{path.stem}_quest.csv"), _raw_session(path)
    has_pickle = path.is_file()
    return Recording(
        Wesad.card.name,
        path.stem[1:],
        trial="session",
        scales={name: Wesad.card.scales[name] for name in ("arousal", "valence")},
        signals=(
            {kind: partial(_read_whole, path, kind) for kind in RATES_HZ}
            if has_pickle
            else {kind: partial(read_kind, e4, kind) for kind in kinds_in_session(e4)}
        ),
        events=partial(_read_events, path, quest, None if has_pickle else e4),
    )


def _read_whole(path: Path, kind: str) -> Signal:
    signal: Signal = load_cached(_read_pickle, path)[1][kind]
    return signal


def _read_events(path: Path, quest: Path, e4: Path | None) -> tuple[Event, ...]:
    """Read the conditions on the clock of the pickle, or of the raw E4 with its presses."""
    protocol = read_quest(quest)
    if e4 is None:
        spans = _find_blocks(path, load_cached(_read_pickle, path)[0], protocol)
    else:
        spans = {c.name: _e4_span(e4, path.stem, c) for c in protocol}
    conditions = [
        Event(
            spans[c.name][0],
            NAMES[CODES[c.name]],
            spans[c.name][1] - spans[c.name][0],
            value=c.name,
            labels={"arousal": c.arousal, "valence": c.valence},
        )
        for c in protocol
    ]
    return (*conditions, *(() if e4 is None else presses(e4)))


def minutes_seconds(text: str, where: str) -> float:
    """Convert a time of quest.csv to seconds: ``7.08`` is 428 s, ``2.5`` is 170 s."""
    minutes, _, rest = text.strip().partition(".")
    rest = rest.ljust(2, "0")
    if not (minutes.isdecimal() and rest.isdecimal() and len(rest) == 2 and int(rest) < 60):
        raise InputError(f"{where}: the time {text[:20]!r} is not minutes.seconds, as in 7.08")
    return 60.0 * int(minutes) + int(rest)


def read_quest(path: Path) -> list[Condition]:
    """Read the rated conditions of a questionnaire, in chronological order.

    Raises
    ------
    InputError
        Missing lines, conditions without times or ratings, times that decrease.
    """
    rows: dict[str, list[list[str]]] = {}
    for line in load_text(path).splitlines():
        head, *cells = (cell.strip() for cell in line.split(";"))
        rows.setdefault(head.lstrip("# ").upper(), []).append(cells)
    missing = [name for name in ("ORDER", "START", "END", "DIM") if name not in rows]
    if missing:
        raise InputError(f"{path} has no line # {missing[0]}: want the authors' questionnaire")
    order, starts, ends = (rows[name][0] for name in ("ORDER", "START", "END"))
    positions = [k for k, name in enumerate(order) if name in CODES]
    if sorted(order[k] for k in positions) != sorted(CODES):
        raise InputError(f"{path}: # ORDER has {', '.join(order)[:80]}: want {', '.join(CODES)}")
    if len(rows["DIM"]) != len(positions) or min(len(starts), len(ends)) <= max(positions):
        raise InputError(
            f"{path}: {len(rows['DIM'])} lines # DIM and {len(starts)} times for {len(positions)} "
            "conditions: the file may be cut off"
        )
    out = []
    for k, ratings in zip(positions, rows["DIM"], strict=True):
        where = f"{path}, {order[k]}"
        if len(ratings) < 2:
            raise InputError(f"{where}: want valence;arousal after # DIM")
        valence, arousal = (
            number(text, where, name, 1, 9)
            for text, name in zip(ratings, ("valence", "arousal"), strict=False)
        )
        start, end = minutes_seconds(starts[k], where), minutes_seconds(ends[k], where)
        out.append(Condition(order[k], start, end, valence, arousal))
        if end <= start or (len(out) > 1 and start < out[-2].end_s):
            raise InputError(f"{where}: the times {starts[k]}–{ends[k]} decrease")
    return out


def _read_signal(path: Path, quest: Path, condition: str, kind: str) -> Signal:
    """Read one signal during a condition, on the pickle's clock."""
    label, signals = load_cached(_read_pickle, path)
    return signals[kind].crop(*_find_blocks(path, label, read_quest(quest))[condition])


def _read_e4(path: Path, person: str, condition: Condition, kind: str) -> Signal:
    """Read a signal of the raw E4 during a condition, where the released labels place it."""
    begin, end = _e4_span(path, person, condition)
    return crop_complete(path / FILE_OF[kind], read_kind(path, kind), begin, end)


def _e4_span(path: Path, person: str, condition: Condition) -> tuple[float, float]:
    """Return start and end (s) of a condition's labels on the clock of the raw E4."""
    offset_s = E4_OFFSET_S.get(int(person[1:]))
    if offset_s is None:
        raise InputError(
            f"{path}: the offset between the clocks of E4 and questionnaire is known only for "
            f"people {', '.join(map(str, E4_OFFSET_S))}: want {person}.pkl"
        )
    begin, end = condition.start_s + offset_s, condition.end_s + offset_s - _TRIMMED_S
    if end <= begin:
        raise InputError(f"{path}: {condition.name} is too short: want more than {_TRIMMED_S:g} s")
    return begin, end


def _read_pickle(path: Path) -> tuple[np.ndarray, dict[str, Signal]]:
    """Read labels and signals of a person; drop the chest's other channels, a gigabyte."""
    content = load_pickle(path)
    label = channel(path, content, "label")
    return label, read_body(path, content, len(label) / _LABEL_HZ)


def _find_blocks(
    path: Path, label: np.ndarray, protocol: list[Condition]
) -> dict[str, tuple[float, float]]:
    """Find start and end (s, pickle's clock) of each condition; check their order."""
    edges = np.flatnonzero(np.diff(label, prepend=-1, append=-1))
    runs = [(int(label[a]), a, b) for a, b in pairwise(edges)]
    runs = [run for run in runs if run[0] in NAMES]
    if [code for code, _, _ in runs] != [CODES[c.name] for c in protocol]:
        found = ", ".join(NAMES[code] for code, _, _ in runs[:9]) or "none"
        wanted = ", ".join(c.name for c in protocol)
        raise InputError(
            f"{path} has the labels {found}; the questionnaire has {wanted}: want both of one "
            "person"
        )
    shifts = [a / _LABEL_HZ - c.start_s for (_, a, _), c in zip(runs, protocol, strict=True)]
    if max(shifts) - min(shifts) > _CLOCK_TOLERANCE_S:
        raise InputError(
            f"{path}: the offset between labels and questionnaire varies by "
            f"{max(shifts) - min(shifts):.0f} s: are the questionnaire's times minutes.seconds, "
            "and from this person?"
        )
    return {
        c.name: (a / _LABEL_HZ, b / _LABEL_HZ) for (_, a, b), c in zip(runs, protocol, strict=True)
    }

"""Damage the bytes of a valid file, for the tests that give a parser any input.

`make fuzz` gives each parser 10,000 inputs (``EMOTION_RPPG_FUZZ``); by default there are a few. An
input is a valid file that is cut off, overwritten, has lines lost, doubled or out of order, or odd
numbers in its cells. Most of its bytes stay valid, so that it passes the first checks.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from emotion_rppg.errors import InputError

INPUTS = int(os.environ.get("EMOTION_RPPG_FUZZ", "0"))


def fuzzed(few: int) -> settings:
    """Return settings for the requested number of inputs; the few by default never change."""
    return settings(
        max_examples=INPUTS or few,
        deadline=None,
        derandomize=not INPUTS,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


ODD = (b"", b"nan", b"inf", b"-1", b"0", b"1e308", b"1e-320", b"9" * 30, b"x", b'"', b"\0", b"0x1f")


@st.composite
def damages(draw) -> Callable[[bytes], bytes]:
    """Draw a function that damages a file, scaled to the file's length."""
    kind = draw(st.sampled_from(sorted(DAMAGES)))
    at, width = draw(st.floats(0, 1)), draw(st.floats(0, 0.2))
    odd = draw(st.sampled_from(ODD) | st.binary(max_size=12))
    return lambda raw: DAMAGES[kind](raw, at, width, odd)


def _replace_number(raw: bytes, at: float, width: float, odd: bytes) -> bytes:
    """Replace a number by another text."""
    begin = int(at * len(raw))
    found = re.compile(rb"-?\d[\d.eE+-]*").search(raw, begin, begin + 4096)
    return raw if found is None else raw[: found.start()] + odd + raw[found.end() :]


def _move_lines(raw: bytes, at: float, width: float, odd: bytes) -> bytes:
    """Move a few lines to the end, double or remove them."""
    lines = raw.split(b"\n")
    k, n = int(at * len(lines)), 1 + int(width * len(lines))
    part = [lines[k : k + n], [], lines[k : k + n] * 2][len(odd) % 3]
    return b"\n".join(lines[:k] + lines[k + n :] + part if len(odd) % 2 else lines[:k] + part)


DAMAGES: dict[str, Callable[[bytes, float, float, bytes], bytes]] = {
    "cell": _replace_number,
    "lines": _move_lines,
    "cut": lambda raw, at, width, odd: raw[: int(at * len(raw))] + odd,
    "head": lambda raw, at, width, odd: odd + raw[min(len(odd), int(at * 64)) :],
    "over": lambda raw, at, width, odd: (
        raw[: int(at * len(raw))] + odd + raw[int(at * len(raw)) + len(odd) :]
    ),
    "early": lambda raw, at, width, odd: raw[: int(at * 600)] + odd + raw[int(at * 600) + 1 :],
    "lost": lambda raw, at, width, odd: (
        raw[: int(at * len(raw))] + raw[int((at + width) * len(raw)) :]
    ),
    "only": lambda raw, at, width, odd: odd * int(1 + 20 * width),
}


def survives(read: Callable[[], object]) -> None:
    """Read a file; accept an InputError and nothing else."""
    with suppress(InputError):
        read()

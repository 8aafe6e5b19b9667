"""Tables that travel in another table's ``attrs``."""

from __future__ import annotations

from typing import Any

import pandas as pd


class Kept(pd.DataFrame):
    """A table in another one's ``attrs``: never copied with it, and equal to itself.

    pandas copies ``attrs`` with every slice and compares them where it joins parts, also to print
    a long table: of a plain DataFrame that has no truth value.
    """

    def __deepcopy__(self, memo: Any) -> Kept:
        return self

    def __eq__(self, other: object) -> Any:  # of two evaluations that are joined
        return self is other if isinstance(other, Kept) else super().__eq__(other)

"""What is to be told apart: a target and the coding of its ratings into classes or a number."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.windows import LABEL, SCALE, people

if TYPE_CHECKING:
    import pandas as pd

CODINGS = ("midpoint", "fixed(x)", "subject_median", "tertiles", "as_is")
_FIXED = re.compile(r"fixed\(\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*\)")
_NAMES = {2: ("low", "high"), 3: ("low", "middle", "high")}


@dataclass(frozen=True)
class Task:
    """A target (the label's name without ``label_``) and how its ratings become classes.

    Parameters
    ----------
    target : str
        ``"arousal"`` for the column ``label_arousal``.
    coding : str
        - ``"midpoint"``: high is *strictly above* the middle of the rating's scale (1..9: above
          5). A rating of exactly the middle is low; tools that say "at least" (≥) call it high
          and get other class sizes.
        - ``"fixed(x)"``: high is strictly above x.
        - ``"subject_median"``: high is strictly above the person's own median, each trial counted
          once. It defines the target with the labels of the very person who is tested: sound as
          a definition ("more aroused than usual for them"), never as an input.
        - ``"tertiles"``: low, middle, high by the one-third and two-thirds quantiles of the
          ratings of each data set, each trial counted once; low is at most the lower, high
          strictly above the upper quantile. The middle is a class of its own, never dropped.
        - ``"as_is"``: numbers stay numbers (regression); words become classes in alphabetical
          order.

    Examples
    --------
    >>> Task("arousal").rule()
    'arousal is high where its rating is strictly above (>) the middle of its scale'
    >>> Task("arousal", "fixed(3)").rule()
    'arousal is high where its rating is strictly above (>) 3'
    """

    target: str
    coding: str = "midpoint"

    def __post_init__(self) -> None:
        if self.threshold is None and self.coding not in set(CODINGS) - {"fixed(x)"}:
            raise InputError(
                f"unknown coding {self.coding!r}; known: {', '.join(CODINGS)} (x a number, "
                "as in fixed(5))"
            )

    @property
    def column(self) -> str:
        return LABEL + self.target

    @property
    def threshold(self) -> float | None:
        """The x of ``fixed(x)``, else None."""
        found = _FIXED.fullmatch(self.coding)
        try:
            return float(found[1]) if found else None
        except ValueError:  # "fixed(1.2.3)"
            return None

    def rule(self, table: pd.DataFrame | None = None) -> str:
        """The coding in words, with > stated; with a table, the scales it is applied to."""
        x = self.threshold
        above = "high where its rating is strictly above (>)"
        rules = {
            "midpoint": f"{above} the middle of its scale",
            "subject_median": f"{above} the median of the person's own trials (the tested "
            "person's labels define the target)",
            "tertiles": "low up to (≤) the lower third of the data set's ratings, high strictly "
            "above (>) the upper third, and middle, kept as a class, between",
            "as_is": "taken as it is",
        }
        text = f"{self.target} is {rules[self.coding] if x is None else f'{above} {x:g}'}"
        if table is not None and self.coding == "midpoint":
            cuts = sorted({f"{cut:g}" for cut in _midpoints(table, self)[_labelled(table, self)]})
            text += f" (above {' or '.join(cuts)})" if cuts else ""
        return text


def code(table: pd.DataFrame, task: Task) -> np.ndarray:
    """Each row's class (0, 1 … as float) or number, (n,); NaN where there is no label.

    Rows with NaN are for the caller to leave out and to count.

    Raises
    ------
    InputError
        Unknown target; words under a coding of numbers; no scale to halve.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"label_arousal": [2, 5, 8, None], "scale_arousal": "1..9"})
    >>> code(table, Task("arousal"))
    array([ 0.,  0.,  1., nan])
    """
    if is_words(table, task):
        known = class_names(table, task)
        position = {name: float(i) for i, name in enumerate(known)}
        column = _column(table, task)
        found = [position.get(str(value), np.nan) for value in column]  # an empty cell is no word
        return np.where(column.notna(), found, np.nan)
    ratings = _ratings(table, task)
    if task.coding == "as_is":
        return ratings
    if task.coding == "tertiles":
        lower, upper = _tertiles(table, task)
        classes = (ratings > lower).astype(float) + (ratings > upper)
    else:
        classes = (ratings > _cuts(table, task)).astype(float)
    return np.where(np.isfinite(ratings), classes, np.nan)


def other_targets(table: pd.DataFrame, task: Task, tasks: Sequence[Task]) -> np.ndarray | None:
    """Labels of the other tasks of the same kind (classes or numbers), (n, tasks), as `code`.

    None where there is no other.
    """
    number = not class_names(table, task)
    columns = [
        code(table, other)
        for other in tasks
        if other != task and number == (not class_names(table, other))
    ]
    return np.column_stack(columns) if columns else None


def class_names(table: pd.DataFrame, task: Task) -> tuple[str, ...]:
    """Names of the classes 0, 1 …; empty where the target is a number (regression)."""
    if is_words(table, task):
        values = _column(table, task).dropna().astype(str)
        return tuple(sorted(set(values) - {""}))
    if task.coding == "as_is":
        return ()
    return _NAMES[3 if task.coding == "tertiles" else 2]


def is_words(table: pd.DataFrame, task: Task) -> bool:
    """Whether the labels are words (names of emotions or conditions) to be taken as they are."""
    from pandas.api.types import is_numeric_dtype

    column = _column(table, task)
    if is_numeric_dtype(column.dtype) or not column.notna().any():
        return False
    try:
        column.dropna().astype(float)
    except (TypeError, ValueError):
        if task.coding == "as_is":
            return True
        some = ", ".join(sorted(set(column.dropna().astype(str)))[:4])
        raise InputError(
            f"{task.column} holds words ({some}), coding {task.coding!r} wants numbers: "
            "use the coding 'as_is'"
        ) from None
    return False


def _column(table: pd.DataFrame, task: Task) -> pd.Series:
    if task.column not in table.columns:
        known = [str(c).removeprefix(LABEL) for c in table.columns if str(c).startswith(LABEL)]
        raise InputError(
            f"no target {task.target!r} in the table (column {task.column}); "
            f"it has: {', '.join(known) or 'no label_… column at all'}"
        )
    return table[task.column]


def _ratings(table: pd.DataFrame, task: Task) -> np.ndarray:
    ratings = _column(table, task).astype(float).to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(ratings), ratings, np.nan)


def _labelled(table: pd.DataFrame, task: Task) -> np.ndarray:
    return np.isfinite(_ratings(table, task))


def _cuts(table: pd.DataFrame, task: Task) -> np.ndarray:
    """Each row's threshold."""
    if task.threshold is not None:
        return np.full(len(table), task.threshold)
    if task.coding == "midpoint":
        return _midpoints(table, task)
    return _over_trials(table, task, by=people(table), statistic=np.median)


def _midpoints(table: pd.DataFrame, task: Task) -> np.ndarray:
    """Middle of each row's scale; rows without a label need none (NaN)."""
    labelled = _labelled(table, task)
    column = SCALE + task.target
    unknown = [None] * len(table)
    texts = table[column].tolist() if column in table.columns else unknown
    datasets = table["dataset"].tolist() if "dataset" in table.columns else unknown
    middles: dict[tuple[object, object], float] = {}
    cuts = np.full(len(table), np.nan)
    for i in np.flatnonzero(labelled):
        key = (texts[i] if isinstance(texts[i], str) else None, datasets[i])
        if key not in middles:
            middles[key] = float(np.mean(_scale(task, *key)))
        cuts[i] = middles[key]
    return cuts


def _scale(task: Task, text: object, dataset: object) -> tuple[float, float]:
    """Lowest and highest of the scale: from the table's own text, else from the data set's card."""
    if isinstance(text, str) and text.strip():
        try:
            low, high = (float(part) for part in text.split(".."))
            if low < high:
                return low, high
        except ValueError:
            pass
        raise InputError(f"{SCALE}{task.target} says {text!r}; want lowest..highest, as in 1..9")
    from emotion_rppg.datasets import DATASETS

    known = DATASETS.get(str(dataset))
    if known is not None and task.target in known.card.scales:
        low, high = known.card.scales[task.target]
        return float(low), float(high)
    raise InputError(
        f"nothing says on which scale {task.target!r} of {dataset!r} was rated (no column "
        f"{SCALE}{task.target}, no such label on a data set's card): give the column, or use the "
        "coding 'fixed(x)' with the threshold you mean"
    )


def _tertiles(table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    def quantile(share: float) -> Callable[[np.ndarray], float]:
        return lambda values: float(np.quantile(values, share))

    by = table["dataset"].astype(str)
    lower = _over_trials(table, task, by=by, statistic=quantile(1 / 3))
    upper = _over_trials(table, task, by=by, statistic=quantile(2 / 3))
    return lower, upper


def _over_trials(
    table: pd.DataFrame,
    task: Task,
    *,
    by: pd.Series,
    statistic: Callable[[np.ndarray], float],
) -> np.ndarray:
    """The statistic over the trials of each group of rows, given back to its rows.

    A trial counts once, with the median of its windows: long trials weigh no more than short ones.
    """
    import pandas as pd

    facts = pd.DataFrame({"by": by.to_numpy(), "person": people(table).to_numpy()})
    facts["session"] = table["session"].astype(str).to_numpy()
    facts["trial"] = table["trial"].astype(str).to_numpy()
    facts["rating"] = _ratings(table, task)
    trials = facts.dropna().groupby(["by", "person", "session", "trial"])["rating"].median()
    found = {group: statistic(part.to_numpy()) for group, part in trials.groupby(level="by")}
    return np.array([found.get(group, np.nan) for group in facts["by"]])

"""Prediction tasks: a target and the coding of its ratings into classes or numbers."""

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

FIXED_OPTION = '--coding "fixed(5)"'  # without quotes, a shell refuses the parentheses
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
          5). A rating of exactly the middle is low; tools that use "at least" (≥) make it high and
          get other class sizes. Labels 0 and 1 need no scale: theirs is 0..1.
        - ``"fixed(x)"``: high is strictly above x.
        - ``"subject_median"``: high is strictly above the person's own median, each trial counted
          once. It uses the labels of the tested person to define the target: valid as a definition
          ("more aroused than usual for this person"), never as an input.
        - ``"tertiles"``: low, middle, high by the one-third and two-thirds quantiles of the
          ratings of each data set, each trial counted once; low is at most the lower, high
          strictly above the upper quantile. The middle is a class, never dropped.
        - ``"as_is"``: numbers stay numbers (regression); text becomes classes in alphabetical
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
                f"unknown coding {self.coding!r}; known: {', '.join(CODINGS)}; x is a number, and "
                f"a shell needs quotes: {FIXED_OPTION}"
            )

    @property
    def column(self) -> str:
        return LABEL + self.target

    @property
    def threshold(self) -> float | None:
        """The x of ``fixed(x)``, else None."""
        match = _FIXED.fullmatch(self.coding)
        try:
            return float(match[1]) if match else None
        except ValueError:  # "fixed(1.2.3)"
            return None

    def rule(self, table: pd.DataFrame | None = None) -> str:
        """Describe the coding in a sentence; with a table, also the thresholds it results in."""
        x = self.threshold
        above = "high where its rating is strictly above (>)"
        rules = {
            "midpoint": f"{above} the middle of its scale",
            "subject_median": f"{above} the median of the person's own trials (the tested "
            "person's labels define the target)",
            "tertiles": "low up to (≤) the lower third of the data set's ratings, high strictly "
            "above (>) the upper third, and middle (a class) between",
            "as_is": "used as it is",
        }
        text = f"{self.target} is {rules[self.coding] if x is None else f'{above} {x:g}'}"
        if table is not None and self.coding == "midpoint":
            middles = _midpoints(table, self)[_labelled(table, self)]
            texts = sorted({f"{middle:g}" for middle in middles})
            text += f" (above {' or '.join(texts)})" if texts else ""
        return text


def code(table: pd.DataFrame, task: Task) -> np.ndarray:
    """Code the labels of a task as class numbers (0, 1 … as float) or numbers, (n,).

    NaN marks a missing label; the caller excludes and counts these rows.

    Raises
    ------
    InputError
        Unknown target; text labels with a coding for numbers; unknown scale (midpoint).

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"label_arousal": [2, 5, 8, None], "scale_arousal": "1..9"})
    >>> code(table, Task("arousal"))
    array([ 0.,  0.,  1., nan])
    """
    if is_words(table, task):
        codes = {name: float(i) for i, name in enumerate(class_names(table, task))}
        column = _column(table, task)
        coded = [codes.get(str(value), np.nan) for value in column]  # empty text is not a class
        return np.where(column.notna(), coded, np.nan)
    ratings = _ratings(table, task)
    if task.coding == "as_is":
        return ratings
    if task.coding == "tertiles":
        lower, upper = _tertiles(table, task)
        classes = (ratings > lower).astype(float) + (ratings > upper)
    else:
        classes = (ratings > _thresholds(table, task)).astype(float)
    return np.where(np.isfinite(ratings), classes, np.nan)


def other_targets(table: pd.DataFrame, task: Task, tasks: Sequence[Task]) -> np.ndarray | None:
    """Code the labels of the other tasks of the same kind (classes or numbers), (n, tasks).

    Returns None if there is no other.
    """
    number = not class_names(table, task)
    columns = [
        code(table, other)
        for other in tasks
        if other != task and number == (not class_names(table, other))
    ]
    return np.column_stack(columns) if columns else None


def class_names(table: pd.DataFrame, task: Task) -> tuple[str, ...]:
    """List the names of the classes 0, 1 …; empty if the target is a number (regression)."""
    if is_words(table, task):
        values = _column(table, task).dropna().astype(str)
        return tuple(sorted(set(values) - {""}))
    if task.coding == "as_is":
        return ()
    return _NAMES[3 if task.coding == "tertiles" else 2]


def is_words(table: pd.DataFrame, task: Task) -> bool:
    """Tell whether the labels are text (emotions, conditions) that is used as it is.

    Raises
    ------
    InputError
        Unknown target; text labels with a coding for numbers.
    """
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
            f"{task.column} contains text ({some}), but the coding {task.coding!r} needs numbers: "
            "use the coding 'as_is'"
        ) from None
    return False


def _column(table: pd.DataFrame, task: Task) -> pd.Series:
    if task.column not in table.columns:
        targets = [str(c).removeprefix(LABEL) for c in table.columns if str(c).startswith(LABEL)]
        raise InputError(
            f"no target {task.target!r} in the table (column {task.column}); "
            f"it has: {', '.join(targets) or 'no label_… column at all'}"
        )
    return table[task.column]


def _ratings(table: pd.DataFrame, task: Task) -> np.ndarray:
    ratings = _column(table, task).astype(float).to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(ratings), ratings, np.nan)


def _labelled(table: pd.DataFrame, task: Task) -> np.ndarray:
    return np.isfinite(_ratings(table, task))


def _thresholds(table: pd.DataFrame, task: Task) -> np.ndarray:
    """Compute the threshold of each row, (n,)."""
    if task.threshold is not None:
        return np.full(len(table), task.threshold)
    if task.coding == "midpoint":
        return _midpoints(table, task)
    return _over_trials(table, task, by=people(table), statistic=np.median)


def _midpoints(table: pd.DataFrame, task: Task) -> np.ndarray:
    """Compute the middle of each row's scale, (n,); NaN for rows without a label."""
    labelled = _labelled(table, task)
    column = SCALE + task.target
    unknown = [None] * len(table)
    texts = table[column].tolist() if column in table.columns else unknown
    datasets = table["dataset"].tolist() if "dataset" in table.columns else unknown
    binary = _binary_datasets(table, task)
    middles: dict[tuple[object, object], float] = {}
    thresholds = np.full(len(table), np.nan)
    for i in np.flatnonzero(labelled):
        key = (texts[i] if isinstance(texts[i], str) else None, datasets[i])
        if key not in middles and key[0] is None and str(datasets[i]) in binary:
            middles[key] = 0.5
        elif key not in middles:
            middles[key] = float(np.mean(_scale(task, *key)))
        thresholds[i] = middles[key]
    return thresholds


def _binary_datasets(table: pd.DataFrame, task: Task) -> set[str]:
    """List the data sets whose ratings are all 0 or 1, and both."""
    rows = len(table)
    names = table["dataset"].astype(str).tolist() if "dataset" in table else ["None"] * rows
    values: dict[str, set[float]] = {}
    for name, rating in zip(names, _ratings(table, task), strict=True):
        if np.isfinite(rating):
            values.setdefault(name, set()).add(float(rating))
    return {name for name, found in values.items() if found == {0.0, 1.0}}


def _scale(task: Task, text: object, dataset: object) -> tuple[float, float]:
    """Look up the lowest and highest rating: in the table's text, else on the data set's card."""
    if isinstance(text, str) and text.strip():
        try:
            low, high = (float(part) for part in text.split(".."))
            if low < high:
                return low, high
        except ValueError:
            pass
        raise InputError(f"{SCALE}{task.target} is {text!r}; want lowest..highest, as in 1..9")
    from emotion_rppg.datasets import DATASETS

    reader = DATASETS.get(str(dataset))
    if reader is not None and task.target in reader.card.scales:
        low, high = reader.card.scales[task.target]
        return float(low), float(high)
    raise InputError(
        f"the rating scale of {task.target!r} in {dataset!r} is unknown: write it into "
        f'manifest.json ("scales": {{"{task.target}": [1, 9]}}) and extract the table again, or '
        f"add the column {SCALE}{task.target} (1..9) to the table, or choose the threshold: "
        f"coding fixed(x), on the command line in quotes ({FIXED_OPTION})"
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
    """Compute a statistic over the trials of each group of rows, and return it for each row, (n,).

    Each trial counts once, with the median of its windows, whatever its length.
    """
    import pandas as pd

    facts = pd.DataFrame({"by": by.to_numpy(), "person": people(table).to_numpy()})
    facts["session"] = table["session"].astype(str).to_numpy()
    facts["trial"] = table["trial"].astype(str).to_numpy()
    facts["rating"] = _ratings(table, task)
    trials = facts.dropna().groupby(["by", "person", "session", "trial"])["rating"].median()
    values = {group: statistic(part.to_numpy()) for group, part in trials.groupby(level="by")}
    return np.array([values.get(group, np.nan) for group in facts["by"]])

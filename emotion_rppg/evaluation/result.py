"""The result of an evaluation: scores, predictions, tests and settings, and its folder on disk.

A folder contains CSV and Parquet tables and one JSON file; nothing in it can run code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.atomic_files import EVALUATION_FACTS, PACKAGE, atomic_folder, write_json
from emotion_rppg.runtime.json_text import parse_json
from emotion_rppg.runtime.tables import AS_WRITTEN, read_parquet, write_table

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1  # of the folder's format
SETTINGS = EVALUATION_FACTS
FILES = {  # table of an `Evaluation` -> its file
    "scores": "results.csv",
    "predictions": "predictions.parquet",
    "null": "null.csv",
    "importance": "importance.csv",
    "excluded": "excluded.csv",
}
SOURCES_FILE = "sources.csv"  # where sources were compared
NULL = ("target", "head", "observed", "score", "p", "test")
IMPORTANCE = ("target", "head", "subject", "group", "drop")
EXCLUDED = ("target", "reason", "rows")
SOURCES = (
    "target",
    "head",
    "windows",
    "fusion",
    "sources",
    "subject",
    "n",
    "coverage",
    "one_class",
)
FAILURES = ("recording", "method", "reason")
ORIGINS = ("method", "checkpoint", "trained_on", "licence")
_REQUIRED_COLUMNS = {
    "scores": ("target", "coding", "split", "normalise", "head", "subject", "n", "one_class"),
    "predictions": ("target", "head", "subject", "row", "truth", "predicted", "chosen"),
    "null": NULL,
    "importance": IMPORTANCE,
    "excluded": EXCLUDED,
}
_TYPES: dict[str, type] = {  # of columns in the CSV files; all others are float
    **dict.fromkeys(("target", "coding", "split", "normalise", "probabilities"), str),
    **dict.fromkeys(("head", "subject", "chosen", "one_class", "withheld_of_class"), str),
    **dict.fromkeys(("test", "group", "reason", "recording", "method"), str),
    **dict.fromkeys(("windows", "fusion", "sources"), str),
    **dict.fromkeys(("checkpoint", "trained_on", "licence"), str),
    **dict.fromkeys(("n", "n_train", "classes", "rows"), int),
    **dict.fromkeys(("unknown_training", "leaky"), bool),
}
_SHOWN_HEADS = 3  # of each kind in a repr


def table_of(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Make a table with these columns and their types, also without any row."""
    import pandas as pd

    types = {name: _TYPES.get(name, float) for name in columns}
    return pd.DataFrame(list(rows), columns=list(columns)).astype(types)


@dataclass(frozen=True)
class Settings:
    """The settings of an evaluation: arguments of ``evaluate`` as plain JSON values.

    Parameters
    ----------
    heads : mapping
        Name of each head, dummy and baseline to the estimator as scikit-learn prints it.
    over_people : tuple of str
        Targets whose label never varies inside a person, which are scored over people.
    sources : tuple of str
        Sources that were compared; empty where none were.
    """

    targets: tuple[str, ...]
    heads: Mapping[str, str]
    split: str
    coding: str
    normalise: str
    calibration_s: float
    probabilities: str
    ablate: tuple[str, ...]
    encoder: str | None
    extra_features: tuple[str, ...]
    allow_unknown_training: bool
    permutations: int | None
    importance: int
    seed: int
    over_people: tuple[str, ...]
    sources: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON values: tuples become lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Settings:
        """Make settings from the values of `to_dict`.

        Raises
        ------
        InputError
            Missing or unknown fields, values of a wrong type: all of them in one message.
        """
        types = {field.name: str(field.type) for field in fields(cls)}
        needed = [field.name for field in fields(cls) if field.default is MISSING]
        faults = [f"{name} is missing" for name in needed if name not in content]
        faults += [f"unknown field {name!r}" for name in content if name not in types]
        faults += [
            f"{name} is {value!r}, want {types[name]}"
            for name, value in content.items()
            if name in types and not _FITS[types[name]](value)
        ]
        if faults:
            raise InputError("; ".join(faults))
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content.items()
        }
        return cls(**values)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_FITS: dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "str | None": lambda value: value is None or _is_text(value),
    "bool": lambda value: isinstance(value, bool),
    "int": _is_whole,
    "int | None": lambda value: value is None or _is_whole(value),
    "float": lambda value: isinstance(value, float) or _is_whole(value),
    "tuple[str, ...]": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "Mapping[str, str]": lambda value: (
        isinstance(value, dict) and all(map(_is_text, value.values()))
    ),
}


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Scores of heads on held-out people, with predictions, tests and settings.

    `emotion_rppg.evaluate` returns it.

    Parameters
    ----------
    scores : DataFrame
        One row per target, head and person: the columns of ``results.csv``.
    predictions : DataFrame
        One row per scored window and head: person, trial, time, ``row`` of the table, true class,
        predicted class and class probabilities (``p_0`` …).
    null : DataFrame
        ``target, head, observed, score, p, test``, one row per label permutation; empty where no
        labels were permuted.
    importance : DataFrame
        ``target, head, subject, group, drop``: the drop of each person's score without a group of
        columns; empty where no importance was computed.
    excluded : DataFrame
        ``target, reason, rows``: number of excluded rows by reason.
    settings : Settings
    sources : DataFrame
        ``target, head, windows, fusion, sources`` and the scores of each person, one row per model
        and person; empty where no sources were compared (:mod:`emotion_rppg.evaluation.sources`).

    Examples
    --------
    >>> results = evaluate(table, target="arousal", heads=["logistic"])  # doctest: +SKIP
    >>> results.summary()[["head", "mean", "ci_low", "ci_high", "p"]]  # doctest: +SKIP
    >>> results.save("result")  # doctest: +SKIP
    """

    scores: pd.DataFrame
    predictions: pd.DataFrame
    null: pd.DataFrame
    importance: pd.DataFrame
    excluded: pd.DataFrame
    settings: Settings
    sources: pd.DataFrame = field(default_factory=lambda: table_of([], SOURCES))

    @property
    def metric(self) -> str:
        """Name of the main score: ``balanced_accuracy``, or ``ccc`` where targets are numbers."""
        return "balanced_accuracy" if "balanced_accuracy" in self.scores else "ccc"

    def summary(self, *, metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """Average each head, dummy and baseline over people: mean, 95 % interval, p value.

        `emotion_rppg.evaluation.statistics.summary` describes the columns. ``metrics`` are names of
        scores; default: the main score.
        """
        from emotion_rppg.evaluation.statistics import summary

        return summary(self.scores, null=self.null, metrics=metrics)

    def between_heads(self, *, metric: str | None = None) -> pd.DataFrame:
        """Compare each pair of heads over the same people; default metric: the main score.

        `emotion_rppg.evaluation.statistics.between_heads` describes the columns.
        """
        from emotion_rppg.evaluation.statistics import between_heads

        return between_heads(self.scores, metric=metric or self.metric)

    def summary_of_sources(self) -> pd.DataFrame:
        """Average each head over people on each set of sources: mean and 95 % interval.

        `emotion_rppg.evaluation.source_statistics.summary_of_sources` describes the columns.
        """
        from emotion_rppg.evaluation.source_statistics import summary_of_sources

        return summary_of_sources(self.sources, metric=self.metric)

    def between_sources(self) -> pd.DataFrame:
        """Compare the scores with and without each source over the same people.

        `emotion_rppg.evaluation.source_statistics.between_sources` describes the columns.
        """
        from emotion_rppg.evaluation.source_statistics import between_sources

        return between_sources(self.sources, metric=self.metric)

    def save(self, folder: str | Path) -> Path:
        """Write the tables and settings to a folder, complete or not at all.

        An output folder of this package is replaced; any other existing folder is refused.
        """
        with atomic_folder(folder) as fresh:
            write_files(self, fresh)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Evaluation:
        """Read a folder written by `save` or by ``emotion-rppg evaluate --out``.

        Raises
        ------
        InputError
            Files or columns are missing, or cannot be read.
        """
        folder = Path(folder)
        missing = [name for name in (SETTINGS, *FILES.values()) if not (folder / name).is_file()]
        if missing:
            raise InputError(
                f"{folder} is not an evaluation: it lacks {', '.join(missing)}; want a folder "
                "written by `emotion-rppg evaluate --out` or Evaluation.save (earlier versions did "
                "not write all of these files: evaluate again)"
            )
        settings = _settings_in(folder / SETTINGS)
        tables = {
            name: _read(folder / file, _REQUIRED_COLUMNS[name]) for name, file in FILES.items()
        }
        if settings.sources:
            tables["sources"] = _read(folder / SOURCES_FILE, SOURCES)
        targets = tuple(dict.fromkeys(tables["scores"]["target"]))
        if targets != settings.targets:
            raise InputError(
                f"{folder / FILES['scores']} has the targets {', '.join(targets) or 'none'}, its "
                f"{SETTINGS} says {', '.join(settings.targets)}: files of two evaluations are mixed"
            )
        return cls(**tables, settings=settings)

    def __repr__(self) -> str:
        means = self.summary()
        lines = [f"{t}: {_in_a_line(own)}" for t, own in means.groupby("target", sort=False)]
        people = self.scores["subject"].nunique()
        return f"Evaluation({self.settings.split}, {people} people; {'; '.join(lines)})"

    def _repr_html_(self) -> str:
        means = self.summary()
        shown = means[["target", "head"]].assign(kind=means["dummy"].map(_KIND))
        shown["people"], shown[self.metric] = means["people"], means["mean"]
        names = [n for n in ("ci_low", "ci_high", "p", "withheld") if n in means]
        shown[names] = means[names]
        html: str = shown.to_html(index=False, na_rep="", float_format="{:.3f}".format, border=0)
        return html


_KIND = {True: "dummy or baseline", False: "head"}


def _in_a_line(means: pd.DataFrame) -> str:
    """Format the mean scores of one target: the first heads, then the first dummies."""
    parts = []
    for dummy in (False, True):
        own = means[means["dummy"] == dummy]
        pairs = zip(own["head"].head(_SHOWN_HEADS), own["mean"].head(_SHOWN_HEADS), strict=True)
        more = f" and {len(own) - _SHOWN_HEADS} more" if len(own) > _SHOWN_HEADS else ""
        parts.append(", ".join(f"{head} {mean:.2f}" for head, mean in pairs) + more)
    return " beside ".join(part for part in parts if part)


@dataclass(frozen=True, eq=False, repr=False)
class PulseEvaluation:
    """Errors of camera pulse waves against a contact sensor.

    `emotion_rppg.evaluation.pulse_agreement.evaluate_pulse` returns it.

    Parameters
    ----------
    scores : DataFrame
        One row per recording and method: identity, labels, errors over the whole recording.
    windows : DataFrame
        One row per window of 30 s.
    failures : DataFrame
        ``recording, method, reason``: recordings that could not be read.
    origins : DataFrame
        ``method, checkpoint, trained_on, licence``: the weights behind each method, as text.
    """

    scores: pd.DataFrame
    windows: pd.DataFrame
    failures: pd.DataFrame
    origins: pd.DataFrame = field(default_factory=lambda: table_of([], ORIGINS))

    def ranking(self) -> pd.DataFrame:
        """Rank the methods by the error of their heart rates, with the weights behind each.

        `emotion_rppg.evaluation.pulse_statistics.pulse_ranking` describes the columns.
        """
        from emotion_rppg.evaluation.pulse_statistics import pulse_ranking

        return pulse_ranking(self.summary(), self.failures, self.origins)

    def summary(self) -> pd.DataFrame:
        """Score each method, with 95 % intervals over people.

        `emotion_rppg.evaluation.pulse_statistics.pulse_summary` describes the columns.
        """
        from emotion_rppg.evaluation.pulse_statistics import pulse_summary

        return pulse_summary(self.scores, self.windows)

    def __repr__(self) -> str:
        methods = self.scores.groupby("method", sort=False)["window_mae_bpm"].mean()
        errors = ", ".join(f"{name} {error:.1f}" for name, error in methods.items())
        recordings = self.scores.drop_duplicates(["dataset", "subject", "session", "trial"])
        failed = f"; {len(self.failures)} failed" if len(self.failures) else ""
        return (
            f"PulseEvaluation({len(recordings)} recordings; heart rate error in 30 s (MAE, bpm): "
            f"{errors}{failed})"
        )


def write_files(evaluation: Evaluation, folder: Path) -> None:
    """Write the files that `Evaluation.load` reads into a folder that exists."""
    for name, file in FILES.items():
        write_table(getattr(evaluation, name), folder / file)
    if evaluation.settings.sources:
        write_table(evaluation.sources, folder / SOURCES_FILE)
    facts = {"written_by": PACKAGE, "kind": "evaluation", "version": VERSION}
    write_json(folder / SETTINGS, {**facts, "settings": evaluation.settings.to_dict()})


def _settings_in(path: Path) -> Settings:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): the folder is damaged") from error
    if not isinstance(content, dict) or content.get("kind") != "evaluation":
        raise InputError(
            f"{path} is not the settings file of an evaluation: want the folder of `emotion-rppg "
            "evaluate --out` or Evaluation.save"
        )
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} has version {content.get('version')!r}, this package reads {VERSION}: use "
            "the version of emotion_rppg that wrote it, or evaluate again"
        )
    settings = content.get("settings")
    if not isinstance(settings, dict):
        raise InputError(f"{path} lacks the settings: the folder is damaged")
    try:
        return Settings.from_dict(settings)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error


def _read(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    """Read one table, each column with the type that it was written with."""
    try:
        table = read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read, the folder is damaged: {error}") from error
    missing = [name for name in needed if name not in table]
    if missing:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}")
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    names = pd.read_csv(path, nrows=0, **AS_WRITTEN).columns
    types = {name: _TYPES.get(name, float) for name in names}
    empty = {name: [""] for name, kind in types.items() if kind is float}
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=empty, **AS_WRITTEN)

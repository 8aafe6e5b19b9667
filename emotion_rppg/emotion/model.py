"""A fitted emotion model: one head for each target, when it predicts, and its folder on disk."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg._version import __version__
from emotion_rppg.emotion.calibration import PROBABILITIES, with_probabilities
from emotion_rppg.emotion.complete_cases import as_input_error, complete_cases, fit_head
from emotion_rppg.emotion.deep.net import reads_sequences
from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder, pretrained_encoders_of
from emotion_rppg.emotion.design_matrix import (
    CONFIDENCE,
    Matrix,
    lengths_of_sources,
    matrix,
    source_channels,
    token_columns,
    token_groups,
    trusted_rows,
)
from emotion_rppg.emotion.feature_ranges import Ranges
from emotion_rppg.emotion.head_names import head_in_words
from emotion_rppg.emotion.model_checks import check_config, check_heads, finite
from emotion_rppg.emotion.subject_baseline import CALIBRATION_S, baseline_of, minus_first_minutes
from emotion_rppg.emotion.table_checks import require_sequences
from emotion_rppg.emotion.tasks import FIXED_OPTION, Task, class_names, code, other_targets
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction, NotStored
from emotion_rppg.features import kinds_of_columns
from emotion_rppg.features.family import PULSE
from emotion_rppg.features.sensors import name_of, reason_column
from emotion_rppg.features.sources import chosen_sources, of_sources
from emotion_rppg.features.trust import kind_trusted
from emotion_rppg.runtime.atomic_files import CARD, CONFIG, atomic_folder, write_json
from emotion_rppg.runtime.config_checks import people_in
from emotion_rppg.runtime.model_folders import read_config
from emotion_rppg.windows import (
    EDITED_BEATS,
    EDITED_BY,
    EDITED_NOISE_S,
    EMBEDDING,
    FACE_PLACE,
    OF_EVENT,
    OK,
    PERSON,
    people,
)

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.deep.pretrained_encoder import Pretrained

_log = logging.getLogger(__name__)
KIND, ENCODER = "emotion", "encoder"
BUNDLED = {"stress": Path(__file__).parent / "weights" / "stress"}  # models in the package
SYNTHETIC = "synthetic"
SYNTHETIC_NOTE = "Trained on synthetic people: a functional check, no evidence about real people."
NEEDS_REST = "Uses a subject baseline: needs a recording of rest from each person"
FITTED = ("none", "calibration")
NO_PULSE = "no trusted pulse in this window"
_MIN_LENGTH = 0.9  # of the length of the training windows: shorter ones are not predicted
NOT_RECORDED = "not recorded; predicts from feature tables alone"
_COPIED = (
    *("dataset", "subject", "session", "trial", PERSON, *FACE_PLACE, *OF_EVENT),
    *("start_s", "duration_s", "hr_bpm", "quality"),
    *(EDITED_BEATS, EDITED_NOISE_S, EDITED_BY),
)


LEFT_OUT = "on people left out, "  # beginning of the facts of an evaluation in ``training``
_NO_SCORE = (
    "A fit has no score. For the accuracy on new people, with an interval over people, run",
    "`emotion-rppg evaluate` on the training table with this head, coding and normalise;",
    "`train emotion --evaluation DIR` then writes its scores here.",
)
_SCORED = (
    "The score is that of models fitted in the same way without the people who tested them. It",
    "holds for people, sensors and situations like those of the training, and for no others.",
)


@dataclass(frozen=True, eq=False)
class Model:
    """Fitted heads by target, and everything that prediction and the model card need.

    Attributes
    ----------
    heads : dict
        Fitted estimator of each target.
    classes : dict
        Class names of each target, in the order of the estimator's columns; empty for a number.
    codings : dict
        Coding of each target, as a sentence.
    names, channels, longest :
        Feature columns, token channels and number of tokens that the heads read.
    lengths : tuple of int
        Number of tokens of each source of ``channels``; empty where these are beats alone.
    made_from : dict
        Facts from the columns of the training table: ``method, source, network, encoder,
        length_s``.
    trained_on : dict
        ``{data set: [subjects]}``: people of the training rows, and of the training of the pulse
        network and the encoders.
    calibration_s : float, optional
        Seconds of rest whose mean (the subject baseline) is subtracted from each person's features;
        None: no subject baseline.
    probabilities : str
        A name of `calibration.PROBABILITIES`.
    ranges : Ranges, optional
        Ranges of the features in the training windows; windows far outside are not predicted.
    extraction : Extraction, optional
        How the training table was extracted: new recordings are read in the same way. None if the
        table carried no record of it: the model then predicts from feature tables alone.
    training : dict
        Number of windows and people, windows of each class, and settings of the fit; empty for a
        model of an earlier version.
    """

    heads: dict[str, Any]
    classes: dict[str, tuple[str, ...]]
    codings: dict[str, str]
    names: tuple[str, ...]
    longest: int
    made_from: dict[str, Any]
    trained_on: dict[str, list[str]]
    note: str = ""
    encoder: Pretrained | None = None
    calibration_s: float | None = None
    probabilities: str = "own"
    channels: tuple[str, ...] | None = None
    lengths: tuple[int, ...] = ()
    ranges: Ranges | None = None
    extraction: Extraction | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        targets = (
            f"{name}: {'/'.join(classes) or 'number'}" for name, classes in self.classes.items()
        )
        heads = dict.fromkeys(type(head).__name__ for head in self.heads.values())
        people = sum(len(subjects) for subjects in self.trained_on.values())
        return (
            f"Model({', '.join(targets)}; {', '.join(heads)}; {len(self.names)} features; "
            f"{people} people)"
        )

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.heads)

    def predict(self, table: pd.DataFrame, *, rest: pd.DataFrame | None = None) -> pd.DataFrame:
        """Predict classes and probabilities for each row; empty, with a reason, where withheld.

        The prediction is withheld for a window in which a signal that the features need (the pulse,
        EDA …) is not trusted (all of them, for a network with several encoders), a window shorter
        than those of the training, one with fewer than half of the features, and one far outside
        their ranges.

        Parameters
        ----------
        rest : DataFrame, optional
            Windows of the same people at rest. A model with a subject baseline (``calibration_s``)
            requires it, other models reject it.

        Returns
        -------
        DataFrame
            One row for each row of the table: identity columns, ``<target>``,
            ``<target>_p_<class>``, ``reason`` (``"ok"`` where a prediction is given).

        Raises
        ------
        InputError
            ``rest`` is missing, unusable or not needed; columns of the model are missing.
        """
        import pandas as pd

        # a new frame: predictions are not a feature table and carry no extraction
        rows_out = pd.DataFrame({c: table[c] for c in _COPIED if c in table}, index=table.index)
        reasons = self._reasons(table)
        accepted = np.array([reason == OK for reason in reasons], dtype=bool)
        inputs = (self._inputs(table).X - self._subject_baseline(table, rest))[accepted]
        for target, head in self.heads.items():
            names = self.classes[target]
            rows_out[target] = "" if names else np.nan
            for name in names:
                rows_out[f"{target}_p_{name}"] = np.nan
            if not accepted.any():
                continue
            with as_input_error(target, "cannot predict"):
                predicted = head.predict(inputs)
                predicted = finite(np.asarray(predicted, dtype=float), target)
            rows_out.loc[accepted, target] = (
                [names[int(k)] for k in predicted] if names else predicted
            )
            if names and hasattr(head, "predict_proba"):
                probabilities = finite(head.predict_proba(inputs), target)
                for column, k in enumerate(head.classes_.astype(int)):
                    rows_out.loc[accepted, f"{target}_p_{names[k]}"] = probabilities[:, column]
        return rows_out.assign(reason=reasons)

    def shift(self, source: str) -> str:
        """Return a warning if the source differs from that of the training, else an empty text."""
        trained = self.made_from["source"]
        if not trained or not source or source in trained.split(", "):
            return ""
        return (
            f"The model was trained on {trained} and the input is {source}: its accuracy on "
            f"{source} is unknown."
        )

    def _inputs(self, table: pd.DataFrame) -> Matrix:
        return matrix(
            table,
            names=self.names,
            channels=self.channels,
            longest=self.longest,
            lengths=self.lengths,
        )

    def _subject_baseline(self, table: pd.DataFrame, rest: pd.DataFrame | None) -> np.ndarray:
        """Return the subject baseline of each row, (n, columns); zeros if the model has none."""
        if self.calibration_s is None:
            if rest is not None:
                raise InputError(
                    "a recording of rest was given, but this model has no subject baseline: omit "
                    "it (--calibrate, calibrate=…), or fit a model with normalise='calibration'"
                )
            return np.zeros((len(table), 1))
        if rest is None:
            raise InputError(
                "this model uses a subject baseline: give a recording of the person at rest "
                f"(--calibrate FILE, calibrate=…), ideally {self.calibration_s:g} s or longer"
            )
        reasons = np.array(self._reasons(rest), dtype=object)
        usable = reasons == OK
        inputs = self._inputs(rest)
        person_at_rest, person = people(rest).to_numpy(), people(table).to_numpy()
        # with one person on each side the names need not agree: files are named differently
        one_person = len(set(person_at_rest)) == len(set(person)) == 1
        baseline = np.empty((len(table), inputs.X.shape[1]))
        for name in np.unique(person):
            own = one_person | (person_at_rest == name)
            if not (usable & own).any():
                common = Counter(reasons[own]).most_common(1)
                reason = f" ({common[0][0]})" if common else ""
                raise InputError(
                    f"no window of the recording of rest can be used for {name}{reason}: want "
                    f"{self.made_from['length_s'] or 60:g} s or more of a clear pulse at rest"
                )
            baseline[person == name] = baseline_of(inputs, usable & own)[0]
        return baseline

    def _reasons(self, table: pd.DataFrame) -> list[str]:
        """Explain why the prediction of each row is withheld; ``"ok"`` if it is not."""
        trained_s = self.made_from["length_s"]
        recorded = _recorded(table, "reason")
        features = self._inputs(table).X[:, : len(self.names)]
        measured = np.isfinite(features).sum(axis=1)
        outside = [""] * len(table)
        if self.ranges is not None:
            outside = self.ranges.reasons(features, self.names)
        reasons = []
        untrusted, expected = self._untrusted(table), self._expected(table)
        for row, length_s in zip(range(len(table)), table["duration_s"], strict=True):
            cause = recorded.iloc[row]
            cause = "" if not isinstance(cause, str) or cause == OK else cause
            if trained_s is not None and length_s < _MIN_LENGTH * trained_s:
                reasons.append(
                    f"too short{' for HRV' if PULSE in self.kinds else ''}: {length_s:.1f} s, the "
                    f"model was trained on windows of {trained_s:g} s"
                )
            elif untrusted[row]:
                reasons.append(untrusted[row])
            elif 2 * measured[row] < expected[row]:
                reasons.append(
                    f"only {measured[row]} of the {expected[row]} features of the model could be "
                    f"measured{f': {cause}' if cause else ''}"
                )
            else:
                reasons.append(outside[row] or OK)
        return reasons

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of signal that it reads: a window needs all of them, or one if `any_source`."""
        tokens = (CONFIDENCE,) if self.channels is None else token_columns(self.channels)
        return kinds_of_columns([*self.names, *(tokens if self.longest else ())]) or (PULSE,)

    @property
    def any_source(self) -> bool:
        """Whether one trusted source is enough: its networks have an encoder for each source."""
        return len(token_groups(self.channels or ())) > 1

    def _expected(self, table: pd.DataFrame) -> np.ndarray:
        """Count the features that each row can have: those of its trusted sources."""
        if not self.any_source:
            return np.full(len(table), len(self.names))
        of_all = np.ones(len(table), dtype=bool)
        trusted = {kind: kind_trusted(table, kind) for kind in self.kinds}
        needed = ([trusted[kind] for kind in kinds_of_columns([name])] for name in self.names)
        return np.sum([np.all([of_all, *each], axis=0) for each in needed], axis=0)

    def _untrusted(self, table: pd.DataFrame) -> list[str]:
        """Say for each row which signals are not trusted and why; an empty text if all are."""
        parts, trusted = [], [kind_trusted(table, kind) for kind in self.kinds]
        enough = np.any(trusted, axis=0) if self.any_source else np.all(trusted, axis=0)
        for kind, own in zip(self.kinds, trusted, strict=True):
            usual = NO_PULSE if kind == PULSE else f"no trusted {name_of(kind)} in this window"
            about = f"{name_of(kind)}: " if kind != PULSE and len(self.kinds) > 1 else ""
            texts = [
                about + text if isinstance(text, str) and text not in ("", OK) else usual
                for text in _recorded(table, reason_column(kind))
            ]
            parts.append(np.where(own | enough, "", texts))
        return ["; ".join(filter(None, row)) for row in zip(*parts, strict=True)]

    def save(self, folder: str | Path) -> Path:
        """Write the model folder: config.json, the files of each head, MODEL_CARD.md."""
        from emotion_rppg.emotion.persistence import save_head

        with atomic_folder(folder) as fresh:
            for target, head in self.heads.items():
                save_head(head, fresh, target)
            if self.encoder is not None:
                self.encoder.save(fresh / ENCODER)
            write_json(fresh / CONFIG, self._config())
            (fresh / CARD).write_text(self.card(), encoding="utf-8")
        return Path(folder)

    def _config(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "version": __version__,
            "targets": {
                t: {"classes": list(self.classes[t]), "coding": self.codings[t]} for t in self.heads
            },
            "features": list(self.names),
            "channels": None if self.channels is None else list(self.channels),
            "longest": self.longest,
            "lengths": list(self.lengths),
            "ranges": None if self.ranges is None else self.ranges.to_dict(),
            "made_from": self.made_from,
            "extraction": None if self.extraction is None else self.extraction.to_dict(),
            "trained_on": self.trained_on,
            "training": dict(self.training),
            "note": self.note,
            "calibration_s": self.calibration_s,
            "probabilities": self.probabilities,
        }

    def card(self) -> str:
        """Write the model card: targets, training people, inputs, and uses that are ruled out."""
        subjects = "; ".join(
            f"{len(p)} of {d} ({', '.join(p)})" for d, p in self.trained_on.items()
        )
        length = self.made_from["length_s"]
        extraction = {} if self.extraction is None else self.extraction.to_dict()
        options = ", ".join(f"{name} {value}" for name, value in extraction.items()) or NOT_RECORDED
        lines = [
            "# Model card",
            "",
            *([f"**{self.note}**", ""] if self.note else []),
            f"- Predicts: {'; '.join(self.codings.values())}",
            f"- Heads: {', '.join(f'{t}: {head_in_words(h)}' for t, h in self.heads.items())}",
            f"- Probabilities: {self.probabilities} ({PROBABILITIES[self.probabilities]})",
            f"- Features: {', '.join(self.names)}",
            "- Withholds the prediction of a window without "
            f"{_listed_kinds(self.kinds, any_source=self.any_source)}"
            + (
                "" if self.ranges is None else ", or far outside the training range of the features"
            ),
            f"- Trained on: {subjects}",
            *(f"- {name}: {value}" for name, value in self.training.items()),
            f"- Input: {self.made_from['source']}, method {self.made_from['method'] or 'none'}, "
            f"windows of {'the whole recording' if length is None else f'{length:g} s'}",
            f"- Extraction: {options}",
            *([] if self.calibration_s is None else [f"- {NEEDS_REST}"]),
            f"- Made with emotion_rppg {__version__}",
            "",
            *(
                _NO_SCORE
                if not any(name.startswith(LEFT_OUT) for name in self.training)
                else _SCORED
            ),
            "The prediction is an estimate from the pulse, not what the person feels.",
            "Not a medical device. Not for decisions about a person; in the European Union, not",
            "for workplaces and schools (Regulation (EU) 2024/1689, Article 5(1)(f)).",
        ]
        return "\n".join([*lines, *self._ranges_in_card()]) + "\n"

    def _ranges_in_card(self) -> list[str]:
        """List the training range of each feature as a Markdown table."""
        if self.ranges is None:
            return []
        rows = zip(self.names, *self.ranges.in_units(), strict=True)
        return [
            *("", "## Training range of each feature", "", "| feature | 1 % | median | 99 % |"),
            "|---|---|---|---|",
            *(f"| {n} | {low:.4g} | {middle:.4g} | {high:.4g} |" for n, low, middle, high in rows),
        ]


def fit_model(
    table: pd.DataFrame,
    *,
    target: str | Sequence[str],
    head: Any = "logistic",
    coding: str = "midpoint",
    encoder: Any = None,
    normalise: str = "none",
    calibration_s: float = CALIBRATION_S,
    probabilities: str = "temperature",
    extra_features: Sequence[str] = (),
    sources: Sequence[str] = (),
    extraction: Extraction | None = None,
    seed: int = 0,
) -> Model:
    """Fit one head for each target on all labelled rows; see ``emotion_rppg.study.fit``."""
    if normalise not in FITTED:
        raise InputError(
            f"a model cannot be fitted with the normalisation {normalise!r}: want one of "
            f"{', '.join(FITTED)}; the others need the complete recording of a new person"
        )
    tasks = [Task(name, coding) for name in ([target] if isinstance(target, str) else target)]
    labels = {task.target: code(table, task) for task in tasks}
    classes = {task.target: class_names(table, task) for task in tasks}
    heads = {
        name: with_probabilities(
            _named_head(head, bool(classes[name]), encoder),
            probabilities,
            numbers=not classes[name],
        )
        for name in labels
    }
    require_sequences(table, heads.values())
    baseline_s = calibration_s if normalise == "calibration" else None
    full = _design_matrix(table, sources, list(heads.values()), extra_features)
    inputs, reference = _minus_baseline(full, table, baseline_s)
    trusted = trusted_rows(table, full)
    usable = trusted & np.isfinite(inputs.X[:, : inputs.n_features]).any(axis=1)
    usable &= ~reference
    for name, y in labels.items():
        _check_labels(y[usable & np.isfinite(y)], classes[name], name)
    training = usable & np.any([np.isfinite(y) for y in labels.values()], axis=0)
    strata = [_class_codes(y) if classes[name] else y for name, y in labels.items()]
    layout, complete = complete_cases(inputs, training, [y[training] for y in strata])
    training[np.flatnonzero(training)] = complete
    raw = layout.select(full)
    inputs, _ = _minus_baseline(raw, table, baseline_s)
    for task in tasks:
        name, y, others = task.target, labels[task.target], other_targets(table, task, tasks)
        rows = training & np.isfinite(y)
        heads[name] = fit_head(
            heads[name],
            inputs,
            rows,
            y[rows].astype(int) if classes[name] else y[rows],
            groups=people(table)[rows].to_numpy(),
            others=None if others is None else others[rows],
            seed=seed,
            name=head if isinstance(head, str) else type(head).__name__,
        )
    in_range = training | (reference & trusted)
    trained_on = _training_people(table, heads.values())
    has_embedding = any(str(column).startswith(EMBEDDING) for column in table)
    return Model(
        heads=heads,
        classes=classes,
        codings={task.target: task.rule(table) for task in tasks},
        names=layout.names,
        channels=layout.channels,
        longest=layout.longest,
        lengths=_source_lengths(raw),
        ranges=Ranges.of(raw.X[in_range, : raw.n_features], people(table)[in_range].to_numpy()),
        made_from=_made_from(table),
        trained_on=trained_on,
        note=SYNTHETIC_NOTE if SYNTHETIC in trained_on else "",
        encoder=_encoder_of(encoder, extraction) if has_embedding else None,
        calibration_s=baseline_s,
        probabilities=probabilities,
        extraction=extraction,
        training=_training_facts(
            table[training],
            {name: y[training] for name, y in labels.items()},
            classes,
            coding=coding,
            normalise=normalise,
            seed=seed,
            **({"extra features": ", ".join(extra_features)} if len(extra_features) else {}),
            **({"sources": ", ".join(sources)} if len(sources) else {}),
        ),
    )


def _design_matrix(
    table: pd.DataFrame, sources: Sequence[str], heads: Sequence[Any], extra: Sequence[str]
) -> Matrix:
    """Build the features of some sources, with the sequence of each for networks that read them."""
    if not len(sources):
        return matrix(table, extra_features=extra)
    kinds = chosen_sources(table, sources, least=1).values()
    used = of_sources(table, kinds)
    channels = source_channels(used, kinds, confidence=CONFIDENCE in extra)
    joint = channels if all(map(reads_sequences, heads)) else None
    return matrix(used, extra_features=extra, channels=joint)


def _source_lengths(inputs: Matrix) -> tuple[int, ...]:
    """Return the number of tokens of each source; empty where they are beats alone, or none."""
    names = {group.name for group in token_groups(inputs.channels)}
    return lengths_of_sources(inputs) if names - {"beats"} else ()


def _training_facts(
    table: pd.DataFrame,
    labels: Mapping[str, np.ndarray],
    classes: Mapping[str, tuple[str, ...]],
    **settings: Any,
) -> dict[str, Any]:
    """Count windows, people and classes of the training rows, and state the settings of the fit."""
    facts: dict[str, Any] = {"windows": len(table), "people": int(people(table).nunique())}
    for name, y in labels.items():
        counts = [f"{text} {int((y == k).sum())}" for k, text in enumerate(classes[name])]
        numbers = y[np.isfinite(y)]
        span = f"{numbers.min():g} to {numbers.max():g}" if len(numbers) else ""
        facts[f"windows by {name}"] = ", ".join(counts) or span
    return facts | settings


def _recorded(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column of reasons; empty texts if the table has none."""
    import pandas as pd

    return table[column] if column in table else pd.Series("", index=table.index)


def _listed_kinds(kinds: Sequence[str], *, any_source: bool) -> str:
    """List kinds of signal as words: "a trusted pulse and trusted EDA", or "any of" them."""
    words = ["a trusted pulse" if k == PULSE else f"trusted {name_of(k)}" for k in kinds]
    return f"any of {', '.join(words)}" if any_source else " and ".join(words)


def _encoder_of(encoder: Any, extraction: Extraction | None) -> Pretrained | None:
    """Load the given encoder, else the one that the extraction names, if its folder exists."""
    if encoder is None and extraction is not None:
        encoder = extraction.encoder
        missing = isinstance(encoder, str) and not Path(encoder).is_dir()
        if missing or isinstance(encoder, NotStored):
            encoder = None
    if encoder is None:
        _log.warning(
            "no encoder was given for the embeddings of the table%s: the model can predict from "
            "tables, but not from recordings; give encoder=DIR (--encoder DIR)",
            "" if extraction is None else f", and its folder was not found ({extraction.encoder})",
        )
    return load_encoder(encoder) if isinstance(encoder, str | Path) else encoder


def _minus_baseline(
    inputs: Matrix, table: pd.DataFrame, calibration_s: float | None
) -> tuple[Matrix, np.ndarray]:
    """Subtract the subject baseline; return the matrix and the rows of the first minutes, (n,)."""
    if calibration_s is None:
        return inputs, np.zeros(len(table), dtype=bool)
    return minus_first_minutes(inputs, table, calibration_s=calibration_s)


def _class_codes(y: np.ndarray) -> np.ndarray:
    """Convert class numbers to integers, -1 where the label is missing."""
    return np.where(np.isfinite(y), y, -1).astype(int)


def _named_head(head: Any, classification: bool, encoder: Any) -> Any:
    from emotion_rppg.emotion import heads_for, unknown_head

    folder = encoder if isinstance(encoder, str | Path) else None
    heads = heads_for(numbers=not classification, encoder=folder)
    if not isinstance(head, str):
        return head
    if head not in heads:
        raise unknown_head(head, heads, numbers=not classification)
    return heads[head]


def _check_labels(y: np.ndarray, names: tuple[str, ...], target: str) -> None:
    if not len(y):
        raise InputError(
            f"no row has both features and a label for {target!r}: there is nothing to learn from"
        )
    if names and len(np.unique(y)) < 2:
        only = names[int(y[0])]
        raise InputError(
            f"every labelled row of {target!r} is {only!r}: a head needs at least two classes; "
            f"try the coding 'subject_median' or a threshold ({FIXED_OPTION})"
        )


def _training_people(table: pd.DataFrame, heads: Iterable[Any]) -> dict[str, list[str]]:
    """List the people of the rows, and of the training of the pulse network and the encoders."""
    found: dict[str, set[str]] = defaultdict(set)
    for dataset, part in table.groupby(table["dataset"].astype(str)):
        found[str(dataset)] |= set(part["subject"].astype(str))
    for column in ("trained_on", "encoder_trained_on"):
        for text in set(table[column].dropna()) if column in table else ():
            if text.startswith("{"):
                for dataset, people_of_it in people_in(text, f"the column {column}").items():
                    found[dataset].update(people_of_it)
    for encoder in (encoder for head in heads for encoder in pretrained_encoders_of(head)):
        trained_on = encoder.trained_on
        for dataset, subjects in {} if isinstance(trained_on, str) else trained_on.items():
            found[dataset] |= set(map(str, subjects))
    return {dataset: sorted(subjects) for dataset, subjects in sorted(found.items())}


def _made_from(table: pd.DataFrame) -> dict[str, Any]:
    """Collect the facts about a training table that its identity columns contain."""

    def joined(column: str) -> str:
        return ", ".join(sorted(set(table[column].dropna().astype(str)))) if column in table else ""

    lengths = table["duration_s"].round(3).unique()
    return {
        "method": joined("method"),
        "source": joined("source"),
        "network": joined("network"),
        "encoder": joined("encoder") if any(c.startswith(EMBEDDING) for c in table) else "",
        "length_s": float(lengths[0]) if len(lengths) == 1 else None,
    }


def _extraction_in(config: dict[str, Any]) -> Extraction | None:
    """Read the extraction of a model; None if it has none, or one guessed by an earlier version."""
    if config.get("extraction") is None or not config.get("extraction_known", True):
        return None
    return Extraction.from_dict(config["extraction"])


def load_model(folder: str | Path) -> Model:
    """Load a model from its folder, or a bundled model by its name; nothing in it can run code.

    Raises
    ------
    InputError
        No emotion model, or damaged files.
    """
    from emotion_rppg.emotion.persistence import load_head

    if not Path(folder).exists():
        folder = BUNDLED.get(str(folder), folder)
    config = read_config(folder)
    if config.get("kind") != KIND:
        raise InputError(
            f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, want an emotion model: "
            "make one with `emotion-rppg train emotion`"
        )
    where = f"config.json in {str(folder)!r}"
    check_config(config, where)
    targets = config["targets"]
    try:
        model = Model(
            heads={t: load_head(Path(folder), t) for t in targets},
            classes={t: tuple(facts["classes"]) for t, facts in targets.items()},
            codings={t: facts["coding"] for t, facts in targets.items()},
            names=tuple(config["features"]),
            channels=None if (channels := config.get("channels")) is None else tuple(channels),
            ranges=None if (ranges := config.get("ranges")) is None else Ranges.from_dict(ranges),
            longest=int(config["longest"]),
            lengths=tuple(config.get("lengths", ())),
            made_from=config["made_from"],
            extraction=_extraction_in(config),
            trained_on=config["trained_on"],
            note=config.get("note", ""),
            training=config.get("training", {}),
            calibration_s=config.get("calibration_s"),
            probabilities=config.get("probabilities", "own"),
            encoder=load_encoder(stored) if (stored := Path(folder) / ENCODER).is_dir() else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{where} is incomplete or damaged ({error}): copy the model folder again"
        ) from error
    check_heads(model, where)
    return model

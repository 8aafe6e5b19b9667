"""A fitted emotion model: one head a target, what it may be asked, and its folder on disk."""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg import __version__
from emotion_rppg.emotion.calibration import PROBABILITIES, with_probabilities
from emotion_rppg.emotion.complete_cases import complete_cases, fit_head, one_sentence
from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder, pretrained_encoders_of
from emotion_rppg.emotion.design_matrix import Matrix, matrix
from emotion_rppg.emotion.feature_ranges import Ranges
from emotion_rppg.emotion.subject_baseline import CALIBRATION_S, level_of, minus_first_minutes
from emotion_rppg.emotion.tasks import Task, class_names, code, other_targets
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction, NotStored
from emotion_rppg.runtime.atomic_files import CARD, CONFIG, atomic_folder, write_json
from emotion_rppg.runtime.model_folders import read_config
from emotion_rppg.windows import EMBEDDING, OK, people, trusted

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.deep.pretrained_encoder import Pretrained

_log = logging.getLogger(__name__)
KIND, ENCODER = "emotion", "encoder"
BUNDLED = {"stress": Path(__file__).parent / "weights" / "stress"}  # models that come along
SYNTHETIC = "synthetic"
SYNTHETIC_NOTE = (
    "Trained on synthetic people: shows that the chain works; says nothing about real people."
)
CALIBRATED = "Compares people with their own rest: needs a recording of it for everybody"
FITTED = ("none", "calibration")
NO_PULSE = "no trusted pulse in this window"
_SHORTEST = 0.9  # of the trained window: below it a window is not what the heads have seen
_SHOWN = ("dataset", "subject", "session", "trial", "start_s", "duration_s", "hr_bpm", "quality")


@dataclass(frozen=True, eq=False)
class Model:
    """Fitted heads by target.

    Attributes
    ----------
    heads : dict
        Target to fitted estimator.
    classes : dict
        Target to the names of its classes, in the order of the estimator's columns.
    codings : dict
        Target to its coding, in words.
    names, channels, longest :
        Feature columns, channels and number of the beat tokens that the heads read.
    made_from : dict
        What the training table's columns say: ``method, source, network, encoder, length_s``.
    trained_on : dict
        ``{data set: [subjects]}``, everybody whose rows or whose networks taught this model.
    calibration_s : float, optional
        Seconds of rest whose mean was taken off each person's features; None: nothing was.
    probabilities : str
        What they are, of `platt.PROBABILITIES`.
    ranges : Ranges, optional
        Of each feature in the training windows; windows far outside are not predicted.
    extraction : Extraction
        How the training table was extracted, and so how new recordings are read.
    extraction_known : bool
        False where the table carried none (old tables, old models): a guess from its columns.
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
    ranges: Ranges | None = None
    extraction: Extraction = field(default_factory=Extraction)
    extraction_known: bool = False

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.heads)

    def predict(self, table: pd.DataFrame, *, rest: pd.DataFrame | None = None) -> pd.DataFrame:
        """Class and probabilities for each row; empty with a reason where nothing can be said.

        Nothing is predicted for a window without a trusted pulse, a window shorter than those of
        the training, one that lacks half of the features, or one far outside their ranges.

        ``rest`` has windows of the same people at rest: a model that compares people with their
        own calibration (``calibration_s``) needs it, others refuse it.
        """
        import pandas as pd

        # made anew: predictions are no feature table and carry no record of an extraction
        shown = pd.DataFrame({c: table[c] for c in _SHOWN if c in table}, index=table.index)
        reasons = self._reasons(table)
        able = np.array([reason == OK for reason in reasons], dtype=bool)
        inputs = (self._inputs(table).X - self._levels(table, rest))[able]
        for target, head in self.heads.items():
            names = self.classes[target]
            shown[target] = "" if names else np.nan
            for name in names:
                shown[f"{target}_p_{name}"] = np.nan
            if not able.any():
                continue
            with one_sentence(target, "cannot predict"):
                predicted = head.predict(inputs)
            shown.loc[able, target] = [names[int(k)] for k in predicted] if names else predicted
            if names and hasattr(head, "predict_proba"):
                probabilities = head.predict_proba(inputs)
                for column, k in enumerate(head.classes_.astype(int)):
                    shown.loc[able, f"{target}_p_{names[k]}"] = probabilities[:, column]
        return shown.assign(reason=reasons)

    def shift(self, source: str) -> str:
        """A sentence if signals of another kind taught this model; nothing else is known of it."""
        taught = self.made_from["source"]
        if not taught or source in taught.split(", "):
            return ""
        return f"It learned from {taught} and is given {source}: how well it does there is unknown."

    def _inputs(self, table: pd.DataFrame) -> Matrix:
        return matrix(table, names=self.names, channels=self.channels, longest=self.longest)

    def _levels(self, table: pd.DataFrame, rest: pd.DataFrame | None) -> np.ndarray:
        """What is usual in the person of each row, (n, columns) or 0."""
        if self.calibration_s is None:
            if rest is not None:
                raise InputError(
                    "this model does not compare people with their own rest: leave the recording "
                    "of rest out, or fit one with normalise='calibration'"
                )
            return np.zeros((len(table), 1))
        if rest is None:
            raise InputError(
                "this model compares people with their own rest: give a recording of it "
                f"(--calibrate FILE, calibrate=…), best of {self.calibration_s:g} s or more"
            )
        reasons = np.array(self._reasons(rest), dtype=object)
        known = reasons == OK
        inputs, whose, asked = self._inputs(rest), people(rest).to_numpy(), people(table).to_numpy()
        alone = len(set(whose)) == len(set(asked)) == 1  # one person, whatever the files are called
        out = np.empty((len(table), inputs.X.shape[1]))
        for person in np.unique(asked):
            rows = known & (alone | (whose == person))
            if not rows.any():
                own = reasons[alone | (whose == person)]
                why = f" ({Counter(own).most_common(1)[0][0]})" if len(own) else ""
                raise InputError(
                    f"no window of the recording of rest can be used for {person}{why}: want "
                    f"{self.made_from['length_s'] or 60:g} s or more of a clear pulse at rest"
                )
            out[asked == person] = level_of(inputs, rows)[0]
        return out

    def _reasons(self, table: pd.DataFrame) -> list[str]:
        """Why each row is not predicted, or ``"ok"``."""
        import pandas as pd

        wanted = self.made_from["length_s"]
        given = table["reason"] if "reason" in table else pd.Series("", index=table.index)
        features = self._inputs(table).X[:, : len(self.names)]
        measured = np.isfinite(features).sum(axis=1)
        outside = [""] * len(table)
        if self.ranges is not None:
            outside = self.ranges.reasons(features, self.names)
        out = []
        for row, sure, length in zip(
            range(len(table)), trusted(table), table["duration_s"], strict=True
        ):
            why = given.iloc[row]
            why = "" if not isinstance(why, str) or why == OK else why
            if wanted is not None and length < _SHORTEST * wanted:
                out.append(
                    f"too short for HRV: {length:.1f} s, the model was trained on windows of "
                    f"{wanted:g} s"
                )
            elif not sure:
                out.append(why or NO_PULSE)
            elif 2 * measured[row] < len(self.names):
                out.append(
                    f"{measured[row]} of the {len(self.names)} features the model reads could be "
                    f"measured{f': {why}' if why else ''}"
                )
            else:
                out.append(outside[row] or OK)
        return out

    def save(self, folder: str | Path) -> Path:
        """Write the model folder: config.json, one file a head, MODEL_CARD.md."""
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
            "ranges": None if self.ranges is None else self.ranges.to_dict(),
            "made_from": self.made_from,
            "extraction": self.extraction.to_dict(),
            "extraction_known": self.extraction_known,
            "trained_on": self.trained_on,
            "note": self.note,
            "calibration_s": self.calibration_s,
            "probabilities": self.probabilities,
        }

    def card(self) -> str:
        """The model card: what it tells, from whom it learned, what it must not be used for."""
        who = "; ".join(f"{len(p)} of {d} ({', '.join(p)})" for d, p in self.trained_on.items())
        length = self.made_from["length_s"]
        how = ", ".join(f"{name} {value}" for name, value in self.extraction.to_dict().items())
        lines = [
            "# Model card",
            "",
            *([f"**{self.note}**", ""] if self.note else []),
            f"- Tells: {'; '.join(self.codings.values())}",
            f"- Heads: {', '.join(f'{t}: {type(h).__name__}' for t, h in self.heads.items())}",
            f"- Probabilities: {self.probabilities} ({PROBABILITIES[self.probabilities]})",
            f"- Features: {', '.join(self.names)}",
            "- Predicts nothing without a trusted pulse"
            + ("" if self.ranges is None else ", nor far outside the range of these features"),
            f"- Learned from: {who}",
            f"- Reads: {self.made_from['source']}, method {self.made_from['method'] or 'none'}, "
            f"windows of {'the whole recording' if length is None else f'{length:g} s'}",
            f"- Extraction{'' if self.extraction_known else ' (guessed from the columns)'}: {how}",
            *([] if self.calibration_s is None else [f"- {CALIBRATED}"]),
            f"- Made with emotion_rppg {__version__}",
            "",
            "How well it does on people it never saw: see the evaluation it was chosen by.",
            "Not a medical device. Not for decisions about a person; in the European Union, not",
            "for workplaces and schools (Regulation (EU) 2024/1689, Article 5(1)(f)).",
        ]
        return "\n".join(lines) + "\n"


def fit(
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
    extraction: Extraction | None = None,
    random_state: int = 0,
) -> Model:
    """Fit one head a target on every labelled row; see ``emotion_rppg.study.fit``."""
    if normalise not in FITTED:
        raise InputError(
            f"a model cannot be fitted with the normalisation {normalise!r}: want one of "
            f"{', '.join(FITTED)}; what else there is needs the whole recording of a new person"
        )
    tasks = [Task(name, coding) for name in ([target] if isinstance(target, str) else target)]
    labels = {task.target: code(table, task) for task in tasks}
    classes = {task.target: class_names(table, task) for task in tasks}
    made = {
        name: with_probabilities(
            _head(head, bool(classes[name]), encoder), probabilities, numbers=not classes[name]
        )
        for name in labels
    }
    level_s = calibration_s if normalise == "calibration" else None
    whole = matrix(table, extra_features=extra_features)
    inputs, reference = _levelled(whole, table, level_s)
    learned = trusted(table) & np.isfinite(inputs.X[:, : inputs.n_features]).any(axis=1)
    learned &= ~reference
    for name, y in labels.items():
        _check_labels(y[learned & np.isfinite(y)], classes[name], name)
    rows = learned & np.any([np.isfinite(y) for y in labels.values()], axis=0)
    strata = [_classes(y) if classes[name] else y for name, y in labels.items()]
    layout, complete = complete_cases(inputs, rows, [y[rows] for y in strata])
    learned[rows] = complete
    raw = layout.of(whole)
    inputs, _ = _levelled(raw, table, level_s)
    heads = {}
    for task in tasks:
        name, y, others = task.target, labels[task.target], other_targets(table, task, tasks)
        usable = learned & rows & np.isfinite(y)
        heads[name] = fit_head(
            made[name],
            inputs,
            usable,
            y[usable].astype(int) if classes[name] else y[usable],
            groups=people(table)[usable].to_numpy(),
            others=None if others is None else others[usable],
            random_state=random_state,
            name=head if isinstance(head, str) else type(head).__name__,
        )
    used = (learned & rows) | (reference & trusted(table))
    seen = _everybody(table, heads.values())
    embeds = any(str(column).startswith(EMBEDDING) for column in table)
    return Model(
        heads=heads,
        classes=classes,
        codings={task.target: task.rule(table) for task in tasks},
        names=layout.names,
        channels=layout.channels,
        longest=layout.longest,
        ranges=Ranges.of(raw.X[used, : raw.n_features], people(table)[used].to_numpy()),
        made_from=_made_from(table),
        trained_on=seen,
        note=SYNTHETIC_NOTE if SYNTHETIC in seen else "",
        encoder=_encoder_inside(encoder, extraction) if embeds else None,
        calibration_s=calibration_s if normalise == "calibration" else None,
        probabilities=probabilities,
        extraction=guessed(_made_from(table), _families_in(table))
        if extraction is None
        else extraction,
        extraction_known=extraction is not None,
    )


def _encoder_inside(encoder: Any, extraction: Extraction | None) -> Pretrained | None:
    """The encoder given, else the one whose folder the extraction names, if it is there."""
    if encoder is None and extraction is not None:
        encoder = extraction.encoder
        gone = isinstance(encoder, str) and not Path(encoder).is_dir()
        if gone or isinstance(encoder, NotStored):
            encoder = None
    if encoder is None:
        _log.warning(
            "the encoder of the table's embeddings is not given%s: the model predicts the rows of "
            "tables, but no recordings; give encoder=DIR (--encoder DIR)",
            "" if extraction is None else f" and not found ({extraction.encoder})",
        )
    return load_encoder(encoder) if isinstance(encoder, str | Path) else encoder


def _levelled(
    inputs: Matrix, table: pd.DataFrame, calibration_s: float | None
) -> tuple[Matrix, np.ndarray]:
    """The matrix less each person's rest, and the rows of rest; as it is without calibration."""
    if calibration_s is None:
        return inputs, np.zeros(len(table), dtype=bool)
    return minus_first_minutes(inputs, table, calibration_s=calibration_s)


def _classes(y: np.ndarray) -> np.ndarray:
    """Whole numbers, -1 where there is no label."""
    return np.where(np.isfinite(y), y, -1).astype(int)


def _head(head: Any, classification: bool, encoder: Any) -> Any:
    from emotion_rppg.emotion import WITH_ENCODER, heads_for

    folder = encoder if isinstance(encoder, str | Path) else None
    known = heads_for(numbers=not classification, encoder=folder)
    if not isinstance(head, str):
        return head
    if head not in known:
        raise InputError(f"unknown head {head!r}; known: {', '.join(known)}; {WITH_ENCODER}")
    return known[head]


def _check_labels(y: np.ndarray, names: tuple[str, ...], target: str) -> None:
    if not len(y):
        raise InputError(f"no row has both features and a label for {target!r}")
    if names and len(np.unique(y)) < 2:
        only = names[int(y[0])]
        raise InputError(
            f"every labelled row of {target!r} is {only!r}: a head needs at least two classes; "
            "try the coding 'subject_median' or 'fixed(x)'"
        )


def _everybody(table: pd.DataFrame, heads: Iterable[Any]) -> dict[str, list[str]]:
    """People of the rows, and those the pulse network and the encoders were trained on."""
    seen: dict[str, set[str]] = defaultdict(set)
    for dataset, part in table.groupby(table["dataset"].astype(str)):
        seen[str(dataset)] |= set(part["subject"].astype(str))
    for column in ("trained_on", "encoder_trained_on"):
        for text in set(table[column].dropna()) if column in table else ():
            if text.startswith("{"):
                for dataset, subjects in json.loads(text).items():
                    seen[dataset] |= set(map(str, subjects))
    for who in (encoder.trained_on for head in heads for encoder in pretrained_encoders_of(head)):
        for dataset, subjects in {} if isinstance(who, str) else who.items():
            seen[dataset] |= set(map(str, subjects))
    return {dataset: sorted(subjects) for dataset, subjects in sorted(seen.items())}


def _made_from(table: pd.DataFrame) -> dict[str, Any]:
    def only(column: str) -> str:
        values = sorted(set(table[column].dropna().astype(str))) if column in table else []
        return values[0] if len(values) == 1 else ", ".join(values)

    lengths = table["duration_s"].round(3).unique()
    return {
        "method": only("method"),
        "source": only("source"),
        "network": only("network"),
        "encoder": only("encoder") if any(c.startswith(EMBEDDING) for c in table) else "",
        "length_s": float(lengths[0]) if len(lengths) == 1 else None,
    }


def _families_in(table: pd.DataFrame) -> list[str]:
    """Families of a table that does not carry its extraction, by its columns."""
    from emotion_rppg.features import FAMILIES

    own = {str(name) for name in table.columns}
    return [name for name, family in FAMILIES.items() if own & set(family.columns)] or ["hrv"]


def guessed(made_from: dict[str, Any], families: Sequence[str]) -> Extraction:
    """Extraction of a training table that did not carry its own: the step is not known."""
    length_s = made_from["length_s"]
    return Extraction(
        method=made_from["method"] or "pos",
        length_s=length_s,
        step_s=None if length_s is None else length_s / 2,
        families=families,
    )


def _extraction_in(config: dict[str, Any]) -> Extraction:
    if "extraction" in config:
        return Extraction.from_dict(config["extraction"])
    return guessed(config["made_from"], config["made_from"]["families"])


def load(folder: str | Path) -> Model:
    """Read a model folder, or one that comes along by its name; nothing in it can run code."""
    from emotion_rppg.emotion.persistence import load_head

    if not Path(folder).exists():
        folder = BUNDLED.get(str(folder), folder)
    config = read_config(folder)
    if config.get("kind") != KIND:
        raise InputError(
            f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, want an emotion model: "
            "make one with `emotion-rppg train emotion`"
        )
    try:
        targets = config["targets"]
        return Model(
            heads={t: load_head(Path(folder), t) for t in targets},
            classes={t: tuple(facts["classes"]) for t, facts in targets.items()},
            codings={t: facts["coding"] for t, facts in targets.items()},
            names=tuple(config["features"]),
            channels=None if (read := config.get("channels")) is None else tuple(read),
            ranges=None if (seen := config.get("ranges")) is None else Ranges.from_dict(seen),
            longest=int(config["longest"]),
            made_from=config["made_from"],
            extraction=_extraction_in(config),
            extraction_known=config.get("extraction_known", False),
            trained_on=config["trained_on"],
            note=config.get("note", ""),
            calibration_s=config.get("calibration_s"),
            probabilities=config.get("probabilities", "own"),
            encoder=load_encoder(inside) if (inside := Path(folder) / ENCODER).is_dir() else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"config.json in {str(folder)!r} lacks or garbles {error}") from error

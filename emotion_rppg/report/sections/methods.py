"""The methods of an evaluation's report: signals, features, heads, statistics, how to repeat it."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emotion_rppg.datasets.cards import cards_of
from emotion_rppg.emotion.design_matrix import feature_names
from emotion_rppg.report.page import Section
from emotion_rppg.report.sections.references import cited
from emotion_rppg.runtime.provenance import versions
from emotion_rppg.windows import SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation

_SOURCES = {
    "rppg": "Beats of camera waves are counted by the wave's phase and timed by their whole shape.",
    "bvp": "Beats of contact pulse waves are timed by the shape of their rise, in a band that "
    "follows the heart rate.",
    "ecg": "Beats of ECGs are R peaks on which two of three detectors agree, two of them of "
    "NeuroKit2 (Makowski et al. 2021).",
}
_PARTS = {  # parts of heads, by how their class is called
    "OnFeatures": "what is missing becomes the median of the training rows, then every feature is "
    "scaled to mean 0 and variance 1 there (OnFeatures)",
    "EqualPriors": "probabilities are divided by the classes' shares in the training, so that they "
    "speak of classes equally frequent (EqualPriors; Saerens et al. 2002)",
    "Calibrated": "probabilities by temperature scaling on training people whom the inner fit had "
    "not seen (Calibrated; Guo et al. 2017)",
    "Platt": "probabilities by a sigmoid fitted on training people whom the inner fit had not "
    "seen (Platt 1999)",
    "Sequence": "networks over the beats beside the features, recurrent such as the LSTM "
    "(Hochreiter and Schmidhuber 1997) unless the settings say otherwise, stopped early by "
    "training people held out (Sequence…)",
    "reads='features'": "a network of the features alone (reads='features')",
    "cell='conv'": "convolutions over the beats in the LSTM's place (cell='conv')",
    "encoder='": "training begins with an encoder that wrote other people's beats, without labels "
    "(encoder=…)",
    "MultiTask": "one network with an output for each target, learned together (MultiTask…; "
    "Caruana 1997)",
    "Average": "late fusion, the mean of what several heads say (Average)",
    "Selected": "“selected” is what does best, by mean over people, in inner folds of the training "
    "people: one of the heads it is given, or the mean of what they all say",
}


def methods(results: Evaluation, table: pd.DataFrame, arguments: Mapping[str, Any]) -> Section:
    """What was computed, after whom, with which versions, and the command that does it again."""
    import pandas as pd

    heads = results.settings.heads
    text = [
        _signals(table),
        _features(results.settings.ablate, table),
        _heads(heads),
        "The person is the unit: scores are computed over each person's windows and averaged over "
        f"people. {_scores(results)} Intervals are percentile bootstraps over people (Efron and "
        "Tibshirani 1993). Heads are compared with each other by Wilcoxon's signed-rank test "
        "(Wilcoxon 1945) over people, with Holm's correction (Holm 1979) and the rank-biserial "
        "correlation as effect (Kerby 2014); none is tested against a dummy.",
        *_permutations(results),
        "Versions: " + ", ".join(f"{name} {found}" for name, found in versions().items()) + ".",
    ]
    short = [_short(text) for text in heads.values()]
    shown = pd.DataFrame({"head": list(heads), "settings": short})
    full = cited(" ".join(text), _docs(table))
    if full:
        text.append("References: " + " ".join(full))
    caption = "Heads as scikit-learn prints them: what is not shown has the versions' defaults."
    return Section("Methods", text, table=shown, table_caption=caption, code=command(arguments))


def _signals(table: pd.DataFrame) -> str:
    """Which data, which signals, how cameras were read, how beats were found."""
    from emotion_rppg.pulse import METHODS

    said = []
    said += [f"Data: {c.title}: {c.reference}" for c in cards_of(table) if c.reference]
    said += [_SOURCES[source] for source in _named(table, "source") if source in _SOURCES]
    for name in _named(table, "method"):
        told = (METHODS[name].__doc__ or "").split("\n")[0] if name in METHODS else ""
        said.append(f"Videos were read with {name}" + (f": {told}" if told else "."))
    said += [f"Pulse network: {name}." for name in _named(table, "network")]
    said.append(
        "Beats whose shape does not fit, and silence where a beat should be, are gaps; nothing is "
        "computed across a gap, and variability is that of normal-to-normal intervals (Task Force "
        "1996). A feature whose standard error outweighs it is withheld."
    )
    return " ".join(said)


def _docs(table: pd.DataFrame) -> list[str | None]:
    """Docstrings that have references of their own: of the table's methods, of classes of heads."""
    from emotion_rppg.emotion import own_classes
    from emotion_rppg.pulse import METHODS

    methods = [METHODS[name] for name in _named(table, "method") if name in METHODS]
    return [each.__doc__ for each in (*methods, *own_classes().values())]


def _named(table: pd.DataFrame, column: str) -> list[str]:
    """What stands in a column of identities, empty text apart."""
    return sorted(set(table[column].dropna().astype(str)) - {""}) if column in table else []


def _features(ablate: Sequence[str], table: pd.DataFrame) -> str:
    """How many columns, what was left out, whose definitions."""
    sequence = "sequence" not in ablate and any(str(c).startswith(SEQUENCE) for c in table)
    return (
        f"{len(feature_names(table, ablate=ablate))} columns are features"
        + (f" (left out: {', '.join(ablate)})" if ablate else "")
        + (", the beat sequences of the windows stand beside them" if sequence else "")
        + ". Variability is computed as the Task Force 1996 defines it, a feature only where the "
        "window is long enough for it"
        + (
            "; of a pulse it is pulse-rate variability, which is not the heart's own (Schäfer and "
            "Vagedes 2013)."
            if set(_named(table, "source")) - {"ecg"}
            else "."
        )
    )


def _heads(heads: Mapping[str, str]) -> str:
    """What the heads are made of, named by the parts that stand in their settings."""
    parts = _PARTS | _other_parts()
    found = [words for part, words in parts.items() if any(part in h for h in heads.values())]
    text = "Heads are scikit-learn estimators (Pedregosa et al. 2011), fitted inside each fold"
    return text + "".join(f"; {words}" for words in found) + "."


def _other_parts() -> dict[str, str]:
    """Classes of heads that `_PARTS` does not describe: the first line of their docstrings."""
    from emotion_rppg.emotion import own_classes

    return {
        f"{name}(": f"{name}: {inspect.cleandoc(each.__doc__ or '').split(chr(10))[0].rstrip('.')}"
        for name, each in own_classes().items()
        if not any(part in name for part in _PARTS)
    }


def _scores(results: Evaluation) -> str:
    if results.metric == "balanced_accuracy":
        return (
            "Balanced accuracy is the mean recall over the classes that a person has (Brodersen et "
            "al. 2010); the expected calibration error has ten equal bins (Naeini et al. 2015)."
        )
    return "CCC is the concordance correlation coefficient (Lin 1989)."


def _permutations(results: Evaluation) -> list[str]:
    said = ["No labels were permuted (--permutations 0): there are no p values."]
    if not results.null.empty:
        n = int(results.null.groupby(["target", "head"]).size().max())
        pooled = results.settings.over_people
        said = [
            f"The null distribution: up to {n} times the labels were exchanged between the trials, "
            "or runs of equal label, of each person"
            + (f" (of {', '.join(pooled)}: between people)" if pooled else "")
            + ". Windows were not exchanged: they resemble their neighbours. p counts the true "
            "labels among the permutations (Phipson and Smyth 2010); by default permutations end "
            "once ten did as well as the true labels (Besag and Clifford 1991). Heads that are "
            "slow to fit are tested forward: blocks of people are predicted by a head fitted on "
            "the blocks before, and the blocks' p values are joined by Fisher's method."
        ]
    if not results.importance.empty:
        said.append(
            "Importance is the score that is lost when a group of columns is exchanged between the "
            "tested windows of a person (after Breiman 2001)."
        )
    return said


def _short(text: str, most: int = 260) -> str:
    return text if len(text) <= most else text[:most] + " …"


def command(arguments: Mapping[str, Any]) -> str:
    """The `emotion-rppg evaluate` that these arguments belong to."""
    parts = ["emotion-rppg", "evaluate"]
    for name, value in arguments.items():
        option = "--" + name.replace("_", "-")
        if value is None or value is False or value == []:
            continue
        if value is True:
            parts.append(option)
        elif name in ("table", "target", "ablate") and not isinstance(value, str):
            parts += [part for one in value for part in (option, str(one))]
        else:
            parts += [option, ",".join(value) if isinstance(value, list) else str(value)]
    return shlex.join(parts)

"""Report section on methods: signals, features, heads, statistics, versions, the command line."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emotion_rppg.datasets.cards import cards_of
from emotion_rppg.emotion.design_matrix import feature_names
from emotion_rppg.evaluation.statistics import BOOTSTRAP_DRAWS, CLUSTERED_DRAWS, MOST_EXACT
from emotion_rppg.report.page import Section
from emotion_rppg.report.sections.paragraph import paragraph
from emotion_rppg.report.sections.references import cited
from emotion_rppg.runtime.provenance import versions
from emotion_rppg.windows import SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation, Settings

_PARTS = {  # text in a head's settings -> sentence on that part
    "OnFeatures": "missing values are replaced by the median of the training rows, and every "
    "feature is scaled to mean 0 and variance 1 over the training rows (OnFeatures)",
    "EqualPriors": "probabilities are divided by the class shares of the training rows, so that "
    "they are those of equally frequent classes (EqualPriors; Saerens et al. 2002)",
    "Calibrated": "probabilities are calibrated by temperature scaling on training people held out "
    "of the inner fit (Calibrated; Guo et al. 2017)",
    "Platt": "probabilities are calibrated by a sigmoid fitted on training people held out of the "
    "inner fit (Platt 1999)",
    "Sequence": "networks over the beat sequence and the features, recurrent such as the LSTM "
    "(Hochreiter and Schmidhuber 1997) unless the settings say otherwise, with early stopping on "
    "held-out training people (Sequence…)",
    "reads='features'": "a network over the features alone (reads='features')",
    "cell='conv'": "convolutions over the beats in place of the LSTM (cell='conv')",
    "encoder='": "training starts from the weights of an encoder that was trained to reproduce the "
    "beats of other people, without labels (encoder=…)",
    "MultiTask": "one network with one output per target, trained on all targets together "
    "(MultiTask…; Caruana 1997)",
    "Average": "late fusion: the mean of the predictions of several heads (Average)",
    "Selected": "“selected” is the candidate with the best mean score over people in inner folds "
    "of the training people: one of its heads, or the mean of the predictions of all of them",
}


def methods(
    results: Evaluation,
    table: pd.DataFrame,
    arguments: Mapping[str, Any],
    cited_elsewhere: str = "",
) -> Section:
    """Describe what was computed, with references, versions and the command that repeats it.

    ``cited_elsewhere`` is text of other sections, whose citations are listed, too.
    """
    import pandas as pd

    heads = results.settings.heads
    text = [
        _signals(table),
        _features(results.settings, table),
        _heads(heads),
        "The person is the unit: scores are computed over each person's windows and averaged over "
        f"people. {_scores(results)} Intervals of 95 % are percentile bootstraps over people "
        f"(Efron and Tibshirani 1993), with {BOOTSTRAP_DRAWS} draws of people, or "
        f"{CLUSTERED_DRAWS} where a score is computed over all people together. Heads are compared "
        "with each other by Wilcoxon's two-sided signed-rank test (Wilcoxon 1945) over people, "
        f"which is exact for up to {MOST_EXACT} people without equal or zero differences and else "
        "uses the normal approximation, with Holm's correction (Holm 1979) and the rank-biserial "
        "correlation as effect size (Kerby 2014); no head is tested against a dummy.",
        *_permutations(results),
        "Versions: " + ", ".join(f"{name} {number}" for name, number in versions().items()) + ".",
    ]
    heads_table = pd.DataFrame({"head": list(heads), "hyper-parameters": list(heads.values())})
    caption = (
        "Hyper-parameters of each head, as scikit-learn prints them: a parameter that is not shown "
        f"has the default of these versions. Random numbers have the seed {results.settings.seed}. "
        "The command below repeats the evaluation."
    )
    return Section(
        "Methods",
        [*text, paragraph(results, table)],
        table=heads_table,
        table_caption=caption,
        references=cited(" ".join([*text, cited_elsewhere]), _docs(table)),
        code=command(arguments),
    )


def _signals(table: pd.DataFrame) -> str:
    """Describe data sets, rPPG methods, detection of beats and gaps."""
    from emotion_rppg.features.beats.kinds import KINDS
    from emotion_rppg.pulse import METHODS

    text = [f"Data: {c.title}: {c.reference}" for c in cards_of(table) if c.reference]
    text += [KINDS[source].description for source in _names(table, "source") if source in KINDS]
    for name in _names(table, "method"):
        summary = (METHODS[name].__doc__ or "").split("\n")[0] if name in METHODS else ""
        text.append(f"rPPG method {name}" + (f": {summary}" if summary else "."))
    text += [f"Pulse network: {name}." for name in _names(table, "network")]
    text.append(
        "Beats with an implausible shape and missing beats are gaps. No interval spans a gap, and "
        "variability is that of normal-to-normal intervals (Task Force 1996). A feature whose "
        "standard error is too large relative to its value is withheld."
    )
    return " ".join(part for part in text if part)


def _docs(table: pd.DataFrame) -> list[str | None]:
    """Return docstrings with references: of rPPG methods, feature families and heads' classes."""
    from emotion_rppg.emotion import own_classes
    from emotion_rppg.features import FAMILIES
    from emotion_rppg.pulse import METHODS

    methods = [METHODS[name] for name in _names(table, "method") if name in METHODS]
    families = [inspect.getmodule(family.compute) for family in FAMILIES.values()]
    return [each.__doc__ for each in (*methods, *families, *own_classes().values())]


def _names(table: pd.DataFrame, column: str) -> list[str]:
    """Return the different values of an identity column, without the empty text."""
    return sorted(set(table[column].dropna().astype(str)) - {""}) if column in table else []


def _features(settings: Settings, table: pd.DataFrame) -> str:
    """Describe number of features, ablations and definitions."""
    ablate = settings.ablate
    names = feature_names(table, ablate=ablate, extra_features=settings.extra_features)
    used = sum(bool(table[name].notna().any()) for name in names)
    sequence = "sequence" not in ablate and any(str(c).startswith(SEQUENCE) for c in table)
    text = f"{used} columns are features, listed above"
    text += f" (excluded: {', '.join(ablate)})" if ablate else ""
    text += ", with the beat sequence of each window" if sequence else ""
    text += (
        ". Heart-rate variability is defined as by the Task Force 1996, and computed only in "
        "windows of sufficient length"
    )
    if _any_pulse_wave(table):
        text += (
            "; from a pulse wave it is pulse-rate variability, which differs from heart-rate "
            "variability (Schäfer and Vagedes 2013)"
        )
    return text + "."


def _any_pulse_wave(table: pd.DataFrame) -> bool:
    """Tell whether any row comes from a pulse wave, such as of a camera, and not from an ECG."""
    from emotion_rppg.features.beats.kinds import KINDS

    return any(name not in KINDS or KINDS[name].pulse_wave for name in _names(table, "source"))


def _heads(heads: Mapping[str, str]) -> str:
    """Describe the parts of the heads that occur in their settings."""
    parts = _PARTS | _other_parts()
    used = [words for part, words in parts.items() if any(part in h for h in heads.values())]
    text = "Heads are scikit-learn estimators (Pedregosa et al. 2011), fitted inside each fold"
    return text + "".join(f"; {words}" for words in used) + "."


def _other_parts() -> dict[str, str]:
    """Describe classes of heads that are not in `_PARTS` by the first line of their docstrings."""
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
    text = ["No labels were permuted (--permutations 0): there are no p values."]
    if not results.null.empty:
        n = int(results.null.groupby(["target", "head"]).size().max())
        pooled = results.settings.over_people
        text = [
            f"Label permutation: up to {n} times the labels were exchanged between the trials of "
            "each person, or between runs of equal label"
            + (f" (for {', '.join(pooled)}: between people)" if pooled else "")
            + ". Labels were not exchanged between single windows, since neighbouring windows "
            "resemble each other. The true labels count as one permutation (Phipson and Smyth "
            "2010), so that the test is exact. By default, permutations end when ten have scored "
            "as high as the true labels (Besag and Clifford 1991). Heads that are slow to fit have "
            "a forward test: blocks of people are predicted by a head fitted on the blocks before "
            "them, and the p values of the blocks are combined by Fisher's method."
        ]
    if not results.importance.empty:
        text.append(
            "Importance is the drop of the score when the values of a group of columns are "
            "exchanged between the tested windows of a person (after Breiman 2001)."
        )
    return text


def command(arguments: Mapping[str, Any]) -> str:
    """Format the `emotion-rppg evaluate` command line of these arguments."""
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

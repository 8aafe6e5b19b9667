"""Full references of the works that the methods section of a report cites.

References of a method of `pulse.METHODS` and of a head's class are in its own docstring.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

REFERENCES = {
    "Besag and Clifford 1991": "Sequential Monte Carlo p-values. Biometrika 78, 301–304.",
    "Breiman 2001": "Random forests. Machine Learning 45, 5–32.",
    "Brodersen et al. 2010": "The balanced accuracy and its posterior distribution. International "
    "Conference on Pattern Recognition, 3121–3124.",
    "Caruana 1997": "Multitask learning. Machine Learning 28, 41–75.",
    "Efron and Tibshirani 1993": "An introduction to the bootstrap. Chapman & Hall.",
    "Guo et al. 2017": "On calibration of modern neural networks. International Conference on "
    "Machine Learning, 1321–1330.",
    "Hochreiter and Schmidhuber 1997": "Long short-term memory. Neural Computation 9, 1735–1780.",
    "Holm 1979": "A simple sequentially rejective multiple test procedure. Scandinavian Journal of "
    "Statistics 6, 65–70.",
    "Kerby 2014": "The simple difference formula: an approach to teaching nonparametric "
    "correlation. Comprehensive Psychology 3, 1.",
    "Lin 1989": "A concordance correlation coefficient to evaluate reproducibility. Biometrics 45, "
    "255–268.",
    "Makowski et al. 2021": "NeuroKit2: a Python toolbox for neurophysiological signal processing. "
    "Behavior Research Methods 53, 1689–1696.",
    "Naeini et al. 2015": "Obtaining well calibrated probabilities using Bayesian binning. AAAI "
    "Conference on Artificial Intelligence, 2901–2907.",
    "Pedregosa et al. 2011": "Scikit-learn: machine learning in Python. Journal of Machine "
    "Learning Research 12, 2825–2830.",
    "Phipson and Smyth 2010": "Permutation p-values should never be zero. Statistical Applications "
    "in Genetics and Molecular Biology 9, 39.",
    "Platt 1999": "Probabilistic outputs for support vector machines and comparisons to "
    "regularized likelihood methods. Advances in Large Margin Classifiers, MIT Press, 61–74.",
    "Saerens et al. 2002": "Adjusting the outputs of a classifier to new a priori probabilities. "
    "Neural Computation 14, 21–41.",
    "Schäfer and Vagedes 2013": "How accurate is pulse rate variability as an estimate of heart "
    "rate variability? International Journal of Cardiology 166, 15–29.",
    "Task Force 1996": "Heart rate variability: standards of measurement, physiological "
    "interpretation, and clinical use. Circulation 93, 1043–1065.",
    "Wilcoxon 1945": "Individual comparisons by ranking methods. Biometrics Bulletin 1, 80–83.",
}


def cited(text: str, docs: Iterable[str | None] = ()) -> list[str]:
    """List the references whose authors and year occur in the text, in the order of their authors.

    ``docs`` are docstrings with further references, in a section "References".
    """
    known = dict(REFERENCES)
    for doc in docs:
        known |= referenced(doc)
    return [f"{key}. {known[key]}" for key in sorted(known) if key in text]


def referenced(doc: str | None) -> dict[str, str]:
    """Read the entries ``Lin 1989. Title …`` of a docstring's section "References", by key.

    Entries are separated by an empty line.
    """
    _, _, section = inspect.cleandoc(doc or "").partition("References\n----------\n")
    entries = (re.match(r"(.+? \d{4})\. (.+)", " ".join(e.split())) for e in section.split("\n\n"))
    return {entry[1]: entry[2] for entry in entries if entry is not None}

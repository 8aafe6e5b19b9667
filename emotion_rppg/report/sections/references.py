"""Full references of the works that the methods section of a report cites.

References of a method of `pulse.METHODS` and of a head's class are in its own docstring.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

REFERENCES = {
    "Besag and Clifford 1991": "Sequential Monte Carlo p-values. Biometrika 78, 301–304.",
    "Billman 2013": "The LF/HF ratio does not accurately measure cardiac sympatho-vagal balance. "
    "Frontiers in Physiology 4, 26.",
    "Breiman 2001": "Random forests. Machine Learning 45, 5–32.",
    "Brennan et al. 2001": "Do existing measures of Poincaré plot geometry reflect nonlinear "
    "features of heart rate variability? IEEE Transactions on Biomedical Engineering 48, "
    "1342–1347.",
    "Brodersen et al. 2010": "The balanced accuracy and its posterior distribution. International "
    "Conference on Pattern Recognition, 3121–3124.",
    "Caruana 1997": "Multitask learning. Machine Learning 28, 41–75.",
    "Efron and Tibshirani 1993": "An introduction to the bootstrap. Chapman & Hall.",
    "Fawcett 2006": "An introduction to ROC analysis. Pattern Recognition Letters 27, 861–874.",
    "Guo et al. 2017": "On calibration of modern neural networks. International Conference on "
    "Machine Learning, 1321–1330.",
    "Hedges 1981": "Distribution theory for Glass's estimator of effect size and related "
    "estimators. Journal of Educational Statistics 6, 107–128.",
    "Higuchi 1988": "Approach to an irregular time series on the basis of the fractal theory. "
    "Physica D 31, 277–283.",
    "Hochreiter and Schmidhuber 1997": "Long short-term memory. Neural Computation 9, 1735–1780.",
    "Holm 1979": "A simple sequentially rejective multiple test procedure. Scandinavian Journal "
    "of Statistics 6, 65–70.",
    "Kerby 2014": "The simple difference formula: an approach to teaching nonparametric "
    "correlation. Comprehensive Psychology 3, 1.",
    "Lakens 2013": "Calculating and reporting effect sizes to facilitate cumulative science: a "
    "practical primer for t-tests and ANOVAs. Frontiers in Psychology 4, 863.",
    "Lin 1989": "A concordance correlation coefficient to evaluate reproducibility. Biometrics "
    "45, 255–268.",
    "Lomb 1976": "Least-squares frequency analysis of unequally spaced data. Astrophysics and "
    "Space Science 39, 447–462.",
    "Makowski et al. 2021": "NeuroKit2: a Python toolbox for neurophysiological signal "
    "processing. Behavior Research Methods 53, 1689–1696.",
    "Mietus et al. 2002": "The pNNx files: re-examining a widely used heart rate variability "
    "measure. Heart 88, 378–380.",
    "Naeini et al. 2015": "Obtaining well calibrated probabilities using Bayesian binning. AAAI "
    "Conference on Artificial Intelligence, 2901–2907.",
    "Pedregosa et al. 2011": "Scikit-learn: machine learning in Python. Journal of Machine "
    "Learning Research 12, 2825–2830.",
    "Peng et al. 1995": "Quantification of scaling exponents and crossover phenomena in "
    "nonstationary heartbeat time series. Chaos 5, 82–87.",
    "Phipson and Smyth 2010": "Permutation p-values should never be zero. Statistical "
    "Applications in Genetics and Molecular Biology 9, 39.",
    "Pincus 1991": "Approximate entropy as a measure of system complexity. Proceedings of the "
    "National Academy of Sciences 88, 2297–2301.",
    "Platt 1999": "Probabilistic outputs for support vector machines and comparisons to "
    "regularized likelihood methods. Advances in Large Margin Classifiers, MIT Press, 61–74.",
    "Richman and Moorman 2000": "Physiological time-series analysis using approximate entropy and "
    "sample entropy. American Journal of Physiology: Heart and Circulatory Physiology 278, "
    "H2039–H2049.",
    "Saerens et al. 2002": "Adjusting the outputs of a classifier to new a priori probabilities. "
    "Neural Computation 14, 21–41.",
    "Scargle 1982": "Studies in astronomical time series analysis. II. Statistical aspects of "
    "spectral analysis of unevenly spaced data. Astrophysical Journal 263, 835–853.",
    "Schäfer and Kratky 2008": "Estimation of breathing rate from respiratory sinus arrhythmia: "
    "comparison of various methods. Annals of Biomedical Engineering 36, 476–485.",
    "Schäfer and Vagedes 2013": "How accurate is pulse rate variability as an estimate of heart "
    "rate variability? International Journal of Cardiology 166, 15–29.",
    "Shaffer and Ginsberg 2017": "An overview of heart rate variability metrics and norms. "
    "Frontiers in Public Health 5, 258.",
    "Task Force 1996": "Heart rate variability: standards of measurement, physiological "
    "interpretation, and clinical use. Circulation 93, 1043–1065.",
    "Toichi et al. 1997": "A new method of assessing cardiac autonomic function and its "
    "comparison with spectral analysis and coefficient of variation of R–R interval. Journal of "
    "the Autonomic Nervous System 62, 79–84.",
    "Wilcoxon 1945": "Individual comparisons by ranking methods. Biometrics Bulletin 1, 80–83.",
}


def cited(text: str, docs: Iterable[str | None] = ()) -> list[str]:
    """List the references whose authors and year occur in the text, in the order of their authors.

    ``docs`` are docstrings with further references, in a section "References", in full or in short.
    """
    known: dict[str, str] = {}
    for doc in docs:
        known |= in_short(doc) | referenced(doc)
    known |= REFERENCES
    return [f"{key}. {known[key]}" for key in sorted(known) if key in text]


def referenced(doc: str | None) -> dict[str, str]:
    """Read the entries ``Lin 1989. Title …`` of a docstring's section "References", by key.

    Entries are separated by an empty line.
    """
    _, _, section = inspect.cleandoc(doc or "").partition("References\n----------\n")
    entries = (re.match(r"(.+? \d{4})\. (.+)", " ".join(e.split())) for e in section.split("\n\n"))
    return {entry[1]: entry[2] for entry in entries if entry is not None}


def in_short(doc: str | None) -> dict[str, str]:
    """Read the references without titles of a docstring: ``Lin 1989, Biometrics 45, 255–268.``"""
    _, _, section = inspect.cleandoc(doc or "").partition("References\n----------\n")
    return dict(_SHORT.findall(" ".join(section.split())))


_SHORT = re.compile(
    r"((?:van |Task )?\w[\w-]+ (?:et al\. |and \w[\w-]+ )?\d{4}), (.+?\.)(?= \D+\d{4}, |$)"
)

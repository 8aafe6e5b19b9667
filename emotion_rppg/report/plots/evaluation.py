"""Figures of an evaluation: scores, confusion, calibration, null distribution, importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from emotion_rppg import metrics
from emotion_rppg.evaluation.statistics import bootstrap_ci
from emotion_rppg.report.plots.panels import label_outside, panels
from emotion_rppg.report.plots.signals import BLUE, GREY, INK, RED
from emotion_rppg.signals import Beats

if TYPE_CHECKING:
    import pandas as pd


def plot_people(
    scores: pd.DataFrame,
    means: pd.DataFrame,
    *,
    metric: str,
    chance: float | tuple[float, float, float] | None,
) -> Figure:
    """Draw each person's score as a dot, one row per head, with mean and interval; dummies grey.

    ``scores`` are the rows of one target of `Evaluation.scores`, ``means`` its rows of ``summary``.
    ``chance`` is a value, or (mean, low, high) of random draws. Where people have no such score
    (one class each), the dots are their shares of correct windows.
    """
    figure = Figure(figsize=(9, 1.0 + 0.42 * len(means)), layout="constrained")
    _draw_people(figure.subplots(), scores, means, metric=metric, chance=chance)
    return figure


def plot_sources(
    panels: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], *, metric: str, chance: float
) -> Figure:
    """Draw each person's score on each set of sources: one panel per title, rows as in its means.

    ``panels`` maps titles to scores and means as `plot_people` takes them, with the name of the
    set in ``head``.
    """
    heights = [max(len(means), 1) for _, means in panels.values()]
    size = (9, 0.4 + sum(0.7 + 0.42 * rows for rows in heights))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=heights)
    for axis, (title, (scores, means)) in zip(axes[:, 0], panels.items(), strict=True):
        _draw_people(axis, scores, means, metric=metric, chance=chance)
        axis.set_title(title, fontsize=10, loc="left")
    return figure


def _draw_people(
    axis: Any,
    scores: pd.DataFrame,
    means: pd.DataFrame,
    *,
    metric: str,
    chance: float | tuple[float, float, float] | None,
) -> None:
    """Draw the rows of one panel: people's dots, mean and interval, and chance."""
    pooled = metric == "balanced_accuracy" and scores[metric].isna().all()
    column = "accuracy" if pooled and "accuracy" in scores else metric
    rows = means.iloc[::-1].reset_index(drop=True)
    for y, row in rows.iterrows():
        colour = GREY if row["dummy"] else BLUE
        own = scores.loc[scores["head"] == row["head"], column].dropna().sort_values()
        # offset by rank, so that equal scores stay countable
        apart = 0.26 * (np.arange(len(own)) % 5 - 2) / 2
        axis.plot(own, y + apart, "o", ms=3.5, color=colour, alpha=0.45, mec="none")
        axis.plot([row["ci_low"], row["ci_high"]], [y, y], color=INK, lw=2.2)
        axis.plot(row["mean"], y, "D", color=INK, mfc="white", ms=6, mew=1.6)
    if isinstance(chance, tuple):
        axis.axvspan(chance[1], chance[2], color=GREY, alpha=0.15, lw=0)
    if chance is not None:
        level = chance[0] if isinstance(chance, tuple) else chance
        axis.axvline(level, color=INK, lw=0.9, ls=":")
    axis.set_yticks(range(len(rows)), rows["head"])
    axis.set(xlabel=in_words(metric), ylim=(-0.6, len(rows) - 0.4))
    axis.spines[["top", "right"]].set_visible(False)


def plot_confusion(counts: dict[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Draw one confusion matrix per head; the shade is the share of the row (true class).

    ``counts`` maps heads to (classes, classes) numbers of windows.
    """
    names = [fill(name, 12) for name in names]
    longest = max(len(line) for name in names for line in name.split("\n"))
    wide = longest > 5  # such names would overlap
    figure, axes = panels(len(counts), width=2.9 if wide else 2.25, height=2.9 if wide else 2.4)
    across = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if wide else {}
    down = {} if wide else {"rotation": 90, "va": "center"}
    for axis, (head, matrix) in zip(axes, counts.items(), strict=True):
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (i, j), n in np.ndenumerate(matrix):
            axis.text(
                j,
                i,
                f"{share[i, j]:.0%}\n{n}",
                ha="center",
                va="center",
                fontsize=8.5 if len(names) < 4 else 7,
                color="white" if share[i, j] > 0.55 else INK,
            )
        axis.set_title(head, fontsize=9, pad=3)
        axis.set_xticks(range(len(names)), names, fontsize=9, **across)
        axis.set_yticks(range(len(names)), names, fontsize=9, **down)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    label_outside(axes, x="predicted", y="true")
    return figure


def reliability(
    predictions: pd.DataFrame, heads: Sequence[str], *, bins: int = 10, name: str = "high"
) -> Figure:
    """Draw the observed share of the second class against its predicted probability, per head.

    ``predictions`` are those of one target with two classes, ``name`` is the second class. Dashed:
    the curve of probabilities that are calibrated for equally frequent classes, at the class
    shares of these data. The area of a dot is its number of windows.
    """
    share = float(predictions.loc[predictions["head"] == heads[0], "truth"].mean())
    grid = np.linspace(0, 1, 101)
    shifted = grid * share / np.maximum(grid * share + (1 - grid) * (1 - share), 1e-12)
    figure, axes = panels(len(heads), width=2.25, height=2.45, sharex=True, sharey=True)
    for axis, head in zip(axes, heads, strict=True):
        own = predictions[predictions["head"] == head]
        truth, probability = own["truth"].to_numpy(float), own["p_1"].to_numpy(float)
        axis.plot([0, 1], [0, 1], color=GREY, lw=0.9, ls=":")
        axis.plot(grid, shifted, color=GREY, lw=0.9, ls="--")
        x, y, n = _binned(truth, probability, bins)
        axis.plot(x, y, color=BLUE, lw=1)
        axis.scatter(x, y, s=6 + 90 * n / n.sum(), color=BLUE, lw=0)
        axis.set_title(f"{head}\nECE {metrics.ece(truth, probability):.2f}", fontsize=9, pad=3)
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=9)
        axis.set_yticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    label_outside(axes, x=f"probability of “{name}”", y=f"share that was “{name}”")
    return figure


def plot_null(scores_of_null: pd.DataFrame, *, metric: str) -> Figure:
    """Draw each head's scores on permuted labels (grey dots) and on the true labels (red line)."""
    heads = list(dict.fromkeys(scores_of_null["head"]))
    figure = Figure(figsize=(9, 1.0 + 0.36 * len(heads)), layout="constrained")
    axis = figure.subplots()
    for y, head in enumerate(reversed(heads)):
        own = scores_of_null[scores_of_null["head"] == head]
        scores = own["score"].dropna().head(300).sort_values()
        apart = 0.24 * (np.arange(len(scores)) % 5 - 2) / 2
        axis.plot(scores, y + apart, "o", ms=3, color=GREY, alpha=0.5, mec="none")
        axis.plot([own["observed"].iloc[0]] * 2, [y - 0.36, y + 0.36], color=RED, lw=2)
    axis.set_yticks(range(len(heads)), reversed(heads))
    axis.set(xlabel=in_words(metric), ylim=(-0.6, len(heads) - 0.4))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def plot_importance(drops: pd.DataFrame, *, metric: str) -> Figure:
    """Draw the drop of people's scores without each group of columns: dots, mean and interval.

    ``drops`` has the columns group, subject, drop, of one target and head.
    """
    groups = drops.groupby("group")["drop"].mean().sort_values().index
    figure = Figure(figsize=(9, 1.0 + 0.36 * len(groups)), layout="constrained")
    axis = figure.subplots()
    for y, group in enumerate(groups):
        own = drops.loc[drops["group"] == group, "drop"].dropna().sort_values()
        apart = 0.24 * (np.arange(len(own)) % 5 - 2) / 2
        axis.plot(own, y + apart, "o", ms=3.5, color=BLUE, alpha=0.45, mec="none")
        axis.plot(bootstrap_ci(own.to_numpy()), [y, y], color=INK, lw=2.2)
        axis.plot(own.mean(), y, "D", color=INK, mfc="white", ms=6, mew=1.6)
    axis.axvline(0, color=INK, lw=0.9, ls=":")
    axis.set_yticks(range(len(groups)), groups)
    axis.set(xlabel=f"drop of {in_words(metric)}", ylim=(-0.6, len(groups) - 0.4))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def plot_predictions_over_time(
    predictions: pd.DataFrame, names: Sequence[str], beats: Sequence[Beats] = ()
) -> Figure:
    """Draw one person's inter-beat intervals (upper panel) and a head's predictions (lower panel).

    ``predictions`` are those of one head and person, with ``middle_s`` on the person's own clock,
    truth, predicted and, with two classes, ``p_1``; windows whose true class is the second one are
    shaded. ``beats`` are those of the recordings on the same clock; without them ``hr_bpm`` of the
    windows is drawn.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    minutes = predictions["middle_s"].to_numpy() / 60
    half = predictions["duration_s"].to_numpy() / 120
    if beats:
        for part in beats:
            intervals = np.where(part.joined, 1e3 * np.diff(part.times_s), np.nan)
            above.plot(part.times_s[1:] / 60, intervals, color=RED, lw=0.6)
        above.set_ylabel("interval (ms)")
    else:
        above.plot(minutes, predictions["hr_bpm"], "o", ms=2.5, color=RED)
        above.set_ylabel("heart rate (bpm)")
    if len(names) == 2:
        for axis in (above, below):
            for at, wide in zip(
                minutes[predictions["truth"] == 1], half[predictions["truth"] == 1], strict=True
            ):
                axis.axvspan(at - wide, at + wide, color="#f7e8d0", lw=0)
        below.plot(minutes, predictions["p_1"], "o", ms=3, color=BLUE)
        below.axhline(0.5, color=INK, lw=0.8, ls=":")
        below.set(ylim=(-0.05, 1.05), ylabel=f"probability of\n{names[1]}")
    else:
        below.plot(minutes, predictions["truth"], "_", ms=7, color=INK, label="true")
        below.plot(minutes, predictions["predicted"], "o", ms=3, color=BLUE, label="predicted")
        if names:
            below.set_yticks(range(len(names)), names)
        below.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    below.set_xlabel("time in this person's recordings (min)")
    for axis in (above, below):
        axis.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels()
    return figure


def bland_altman(rates: pd.DataFrame) -> Figure:
    """Draw Bland–Altman plots of estimated and true heart rate, bpm, one panel per method.

    ``rates`` has the columns method, hr_bpm, hr_true_bpm, withheld. Lines: the mean difference and
    1.96 standard deviations about it, over all rows. Hollow: the rate was withheld.

    References
    ----------
    Bland and Altman 1986. Statistical methods for assessing agreement between two methods of
    clinical measurement. Lancet 327, 307–310.
    """
    names = list(dict.fromkeys(rates["method"]))
    figure, axes = panels(len(names), width=3.0, height=3.0, sharey=True)
    for axis, name in zip(axes, names, strict=True):
        rows = rates[rates["method"] == name].dropna(subset=["hr_bpm", "hr_true_bpm"])
        mean, off = (rows["hr_bpm"] + rows["hr_true_bpm"]) / 2, rows["hr_bpm"] - rows["hr_true_bpm"]
        reported = rows["withheld"] == 0
        axis.plot(mean[reported], off[reported], "o", ms=3.5, color=BLUE, alpha=0.7, mec="none")
        axis.plot(mean[~reported], off[~reported], "o", ms=3.5, mfc="none", mec=GREY)
        for times in (-1.96, 0, 1.96):
            level = off.mean() + times * off.std(ddof=0)
            axis.axhline(level, color=INK, lw=0.8, ls=":" if times else "-")
        axis.set(title=name, xlabel="mean of both (bpm)")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("estimated − true (bpm)")
    return figure


def errors_by_method(summary: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Draw value and 95 % interval of scores: one panel per score, one row per method.

    ``summary`` has the columns method, score, value, ci_low, ci_high; ``names`` maps the scores to
    axis labels.
    """
    methods = list(dict.fromkeys(summary["method"]))
    figure = Figure(figsize=(9, 0.9 + 0.32 * len(methods)), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axis, (score, label) in zip(axes, names.items(), strict=True):
        rows = summary[summary["score"] == score].set_index("method")
        for y, method in enumerate(reversed(methods)):
            row = rows.loc[method]
            axis.plot([row["ci_low"], row["ci_high"]], [y, y], color=BLUE, lw=2)
            axis.plot(row["value"], y, "o", color=BLUE, ms=6)
        axis.set(xlabel=label, xlim=(0, None))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylim(-0.6, len(methods) - 0.4)
    axes[0].set_yticks(range(len(methods)), methods[::-1])
    return figure


def in_words(metric: str) -> str:
    """Return the name of a metric in words, such as "balanced accuracy" or "AUROC"."""
    short = {"auroc": "AUROC", "mcc": "MCC", "ece": "ECE", "ccc": "CCC", "rmse": "RMSE"}
    return short.get(metric, metric.replace("macro_f1", "macro F1").replace("_", " "))


def _binned(
    truth: np.ndarray, probability: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute mean probability, observed share and number of windows of each bin with windows."""
    where = np.minimum((probability * bins).astype(int), bins - 1)
    filled = np.unique(where)
    x = np.array([probability[where == k].mean() for k in filled])
    y = np.array([truth[where == k].mean() for k in filled])
    return x, y, np.array([np.sum(where == k) for k in filled])

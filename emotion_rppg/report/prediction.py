"""Write the output folder of `predict`: predictions, wave, figure, report.html, run.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.emotion.head_names import head_in_words
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.trust import beats_of, kind_of, wave_of
from emotion_rppg.pulse.person_wave import PersonWave
from emotion_rppg.report.page import Page, Section, write_page
from emotion_rppg.report.plots.circumplex import abstained
from emotion_rppg.report.sections.one_recording import (
    interval_figures,
    length_in_words,
    prediction_figures,
    prediction_in_words,
    pulse_in_words,
    span_in_words,
    wave_figure,
)
from emotion_rppg.runtime.atomic_files import atomic_folder
from emotion_rppg.runtime.provenance import versions, write_run
from emotion_rppg.runtime.tables import write_intervals, write_table, write_wave
from emotion_rppg.signals import Beats, Pulse, Signal
from emotion_rppg.study.corrections import PulseBeats, edits_in_words
from emotion_rppg.windows import FACE_PLACE, OK, PERSON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from emotion_rppg.emotion.model import Model


MOST_LINES = 8  # up to which each window has a line of its own in the text
_ONE_RECORDING = (
    "dataset",
    "subject",
    "session",
    "trial",
    PERSON,
    *FACE_PLACE,
    "quality",
)  # the same in each row


def write_prediction(
    rows: pd.DataFrame,
    pulse: Pulse,
    model: Model,
    out: str | Path,
    *,
    arguments: Mapping[str, Any],
    inputs: Sequence[Path] = (),
    beats: Sequence[PulseBeats] = (),
) -> dict[str, Any]:
    """Write the folder and return what to print: ``{"text": …, "json": …}``.

    ``pulse`` is the wave, or the beats of a device, whose folder has intervals.csv in place of a
    wave. ``beats`` has its beats (`study.replay.beats_like`); default: they are detected.
    """
    own = beats or [_detected(pulse)]
    named = {"": (pulse, own[0])}
    (output,) = _write(rows, named, model, out, arguments=arguments, inputs=inputs)
    return output


def write_people_prediction(
    rows: pd.DataFrame,
    waves: Sequence[Pulse],
    model: Model,
    out: str | Path,
    *,
    arguments: Mapping[str, Any],
    inputs: Sequence[Path] = (),
    beats: Sequence[PulseBeats] = (),
) -> dict[str, Any]:
    """Write the folder for every person in a video and return what to print.

    The n-th wave is that of person n, whose rows have n in the column ``person``: its files are
    ``wave_n.csv`` and ``wave_n.png``.
    """
    own = beats or [_detected(wave) for wave in waves]
    pairs = zip(waves, own, strict=True)
    named = {str(number): pair for number, pair in enumerate(pairs, 1)}
    outputs = _write(rows, named, model, out, arguments=arguments, inputs=inputs)
    texts = [f"person {n}: {output['text']}" for n, output in zip(named, outputs, strict=True)]
    people = [
        {"person": int(n), **output["json"]} for n, output in zip(named, outputs, strict=True)
    ]
    return {"text": "\n".join(texts), "json": {"people": people}}


def _detected(pulse: Pulse) -> PulseBeats:
    return PulseBeats(beats_of(pulse), wave_of(pulse))


def _write(
    rows: pd.DataFrame,
    waves: Mapping[str, tuple[Pulse, PulseBeats]],
    model: Model,
    out: str | Path,
    *,
    arguments: Mapping[str, Any],
    inputs: Sequence[Path],
) -> list[dict[str, Any]]:
    """Write the folder of one recording: waves by the number of their person, or one by ""."""
    outputs = []
    with atomic_folder(out) as fresh:
        write_table(rows, fresh / "prediction.csv")
        sections: list[Section] = []
        for number, (wave, beats) in waves.items():
            own = rows[rows[PERSON] == int(number)].reset_index(drop=True) if number else rows
            output, parts = _write_person(own, wave, beats, model, fresh, number)
            outputs.append(output)
            sections += parts
        sections.append(Section("Recording, model, versions", _facts(rows, model, arguments)))
        lead = "Estimates by a model from one recording. They are not a diagnosis."
        page = Page("Prediction", lead, sections, _closing(rows))
        write_page(page, fresh / "report.html")
        write_run(fresh, "predict", arguments, inputs, name=Path(out).name)
    return outputs


def _closing(rows: pd.DataFrame) -> str:
    """State in one line how many windows have no prediction, and the most frequent reason."""
    return f"Withheld: {abstained(rows) or f'nothing; all {len(rows)} windows are predicted'}."


def _facts(rows: pd.DataFrame, model: Model, arguments: Mapping[str, Any]) -> list[str]:
    """State the recording, the model, whether the person was in its training, and the versions."""
    names = [f"{t}: {head_in_words(head)}" for t, head in model.heads.items()]
    libraries = ", ".join(f"{name} {version}" for name, version in versions().items())
    given = arguments.get("given") or []
    files = ", ".join(map(str, given if isinstance(given, list | tuple) else [given]))
    rest = arguments.get("calibrate")
    return [
        *([f"Recording: {files}."] if files else []),
        *([f"Rest: {rest}."] if rest else []),
        f"Model: {arguments.get('model') or 'in memory'}; {'; '.join(names)}.",
        _in_training(rows, model),
        f"Versions: {libraries}.",
    ]


def _in_training(rows: pd.DataFrame, model: Model) -> str:
    """State whether the person of the rows was in the model's training, as far as names tell."""
    sizes = ", ".join(f"{len(who)} of {name}" for name, who in model.trained_on.items())
    known = {f"{dataset}/{subject}" for dataset, who in model.trained_on.items() for subject in who}
    if not {"dataset", "subject"} <= set(rows):
        return f"Training: people {sizes}; whether this person is one of them is not known."
    own = dict.fromkeys(rows["dataset"].astype(str) + "/" + rows["subject"].astype(str))
    if seen := [name for name in own if name in known]:
        return (
            f"Training: people {sizes}. {', '.join(seen)} is one of them: the prediction says "
            "nothing about the accuracy on new people."
        )
    return (
        f"Training: people {sizes}. None is called {', '.join(own)}, as far as the names of data "
        "set and subject tell."
    )


def _write_person(
    rows: pd.DataFrame, pulse: Pulse, own: PulseBeats, model: Model, folder: Path, number: str
) -> tuple[dict[str, Any], list[Section]]:
    """Write wave and figure of one person; return what to print and the report's sections."""
    beats = own.beats
    rate = estimate_heart_rate(pulse if own.wave is None else own.wave, beats)
    notes = [text for text in (model.note, model.shift(pulse.kind or "")) if text]
    if own.corrected is not None:
        words = own.corrected.in_words()
        notes.append(f"{words[0].upper()}{words[1:]}.")
    output = _output(rows, rate.hr_bpm, rate.quality, rate.reason, pulse, model, notes)
    name = pulse.kind or "pulse"
    place = [f"{pulse.place[0].upper()}{pulse.place[1:]}."] if isinstance(pulse, PersonWave) else []
    suffix, whose = (f"_{number}", f" of person {number}") if number else ("", "")
    wave = wave_of(pulse)
    if wave is None:
        write_intervals(beats, folder / f"intervals{suffix}.csv")
    sections = [
        Section(
            f"Pulse{whose}",
            [*place, pulse_in_words(rate.hr_bpm, rate.quality, rate.reason, pulse)],
            [
                *([] if wave is None else [_write_wave(wave, beats, folder, suffix)]),
                *interval_figures(name, beats),
            ],
        ),
        Section(
            f"Prediction{whose}",
            [text for text in (*model.codings.values(), abstained(rows)) if text],
            prediction_figures(rows, model),
            table=rows.drop(columns=[c for c in rows if c in _ONE_RECORDING or "_p_low" in c]),
            table_caption="One row per window; columns “…_p_…” are probabilities of classes. "
            "An empty prediction is withheld, with its reason.",
            warning=" ".join(notes),
        ),
    ]
    return output, sections


def _write_wave(wave: Signal, beats: Beats, folder: Path, suffix: str) -> tuple[Figure, str]:
    """Write the wave and its figure; return the figure with its caption."""
    write_wave(wave, folder / f"wave{suffix}.csv")
    drawn, caption = wave_figure(wave, beats)
    drawn.savefig(folder / f"wave{suffix}.png", dpi=130)
    return drawn, caption


def write_predictions(
    rows: pd.DataFrame,
    model: Model,
    out: str | Path,
    *,
    sources: Sequence[str],
    failures: Sequence[Mapping[str, str]],
    arguments: Mapping[str, Any],
    inputs: Sequence[Path] = (),
) -> dict[str, Any]:
    """Write the predictions of many recordings as one table and return what to print.

    ``prediction.csv`` has one row per window; ``failures.csv`` lists the recordings that could not
    be read.
    """
    import pandas as pd

    notes = dict.fromkeys([model.note, *(model.shift(source) for source in sources)])
    note = " ".join(text for text in notes if text)
    with atomic_folder(out) as fresh:
        write_table(rows, fresh / "prediction.csv")
        if failures:
            write_table(pd.DataFrame(list(failures)), fresh / "failures.csv")
        write_run(fresh, "predict", arguments, inputs, name=Path(out).name)
    keys = [c for c in ("dataset", "subject", "session", "trial") if c in rows]
    count = len(rows[keys].drop_duplicates()) if keys else 1
    empty = rows[list(model.targets)].isna() | (rows[list(model.targets)] == "")
    withheld = int(empty.all(axis=1).sum())
    text = f"{len(rows)} windows of {count} recordings, {withheld} withheld (see column reason)"
    text += f", {len(failures)} recordings not read (see failures.csv)" if failures else ""
    edited = edits_in_words(rows)
    lines = [text, *(line for line in (edited, note) if line), str(Path(out) / "prediction.csv")]
    content = {
        "recordings": count,
        "rows": len(rows),
        "withheld": withheld,
        "windows": json.loads(rows.to_json(orient="records")),
        "failures": list(failures),
        "edited": edited,
        "note": note,
        "out": str(out),
    }
    return {"text": "\n".join(lines), "json": content}


def _output(
    rows: pd.DataFrame,
    hr_bpm: float | None,
    quality: float,
    reason: str | None,
    pulse: Pulse,
    model: Model,
    notes: list[str],
) -> dict[str, Any]:
    """Compose what the command prints: text lines, and the content of its JSON."""
    rate = f"{hr_bpm:.1f} bpm" if hr_bpm is not None else f"heart rate withheld ({reason})"
    length = length_in_words(pulse, digits=1)
    lines = [f"{rate} · quality {quality:.2f} · {length} · {pulse.kind or 'pulse'}"]
    few = len(rows) <= MOST_LINES
    lines += [*_each_window(rows, model), abstained(rows)] if few else _summary(rows, model)
    lines = [text for text in (*lines, *notes) if text]
    content: dict[str, Any] = {
        "hr_bpm": None if hr_bpm is None else round(hr_bpm, 2),
        "quality": None if quality != quality else round(quality, 3),
        "face_coverage": round(pulse.coverage, 3) if pulse.kind == "rppg" else None,
        "predicted": int((rows["reason"] == OK).sum()),
        "windows": json.loads(rows.to_json(orient="records")),
        "note": " ".join(notes),
    }
    if reason:
        content["reason"] = reason
    return {"text": "\n".join(lines), "json": content}


def _each_window(rows: pd.DataFrame, model: Model) -> list[str]:
    """Describe the prediction of each window in one line."""
    return [
        f"{span_in_words(row)}: {prediction_in_words(row, model)}"
        for row in rows.to_dict("records")
    ]


def _summary(rows: pd.DataFrame, model: Model) -> list[str]:
    """Count the predictions of each target and the reasons of windows without one."""
    predicted = rows[rows["reason"] == OK]
    lines = [f"{len(predicted)} of {len(rows)} windows predicted"]
    for target in model.targets if len(predicted) else ():
        values = predicted[target]
        if model.classes[target]:
            counts = {name: int((values == name).sum()) for name in model.classes[target]}
            shares = (f"{name} {n} ({n / len(values):.0%})" for name, n in counts.items())
            lines.append(f"{target}: {', '.join(shares)}")
        else:
            numbers = values.astype(float)
            span = f"{numbers.min():.2f} to {numbers.max():.2f}"
            lines.append(f"{target}: mean {numbers.mean():.2f}, {span}")
    reasons = rows.loc[rows["reason"] != OK, "reason"].astype(str).map(kind_of)
    return lines + [f"not predicted, {n}: {text}" for text, n in reasons.value_counts().items()]

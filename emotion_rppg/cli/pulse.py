"""`pulse`: from one recording to its wave, its heart rate and its heart rate over time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion_rppg.cli.console import count, json_number, print_result, progress_bar, user_errors
from emotion_rppg.cli.options import (
    CacheFolder,
    Channel,
    Device,
    Edits,
    Face,
    Json,
    Method,
    Region,
    Weights,
)
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import DEFAULT_METHOD

if TYPE_CHECKING:
    from emotion_rppg.pulse.person_wave import PersonWave
    from emotion_rppg.signals import Signal
    from emotion_rppg.study import Reading
    from emotion_rppg.study.corrections import PulseBeats


@app.command()
def pulse(
    video: Annotated[
        Path,
        typer.Argument(
            metavar="VIDEO", help="Face video; or a signal file, whose wave is read as it is."
        ),
    ],
    method: Method = DEFAULT_METHOD,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="CSV file to write: time_s, rppg, quality. With --face all one file a person: "
            "wave_1.csv, wave_2.csv … for wave.csv.",
        ),
    ] = None,
    rates: Annotated[
        Path | None,
        typer.Option(
            "--rates",
            help="CSV file to write: time_s, hr_bpm (empty where withheld), quality, one row a "
            "second. With --face all one file a person, as for --out.",
        ),
    ] = None,
    region: Region = "face",
    face: Face = None,
    weights: Weights = None,
    channel: Channel = None,
    edits: Edits = True,
    cache: CacheFolder = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Estimate the pulse wave of a face video; print heart rate, quality and face coverage.

    A heart rate that cannot be trusted is withheld, with the reason. With --face all each person
    in the video has a line and a wave of their own.

    Example: emotion-rppg pulse face.mp4 --method pos --out wave.csv
    """
    with user_errors():
        from emotion_rppg.cli.checks import run_checks, signal_checks
        from emotion_rppg.features.trust import closing_line
        from emotion_rppg.pulse.person_wave import PersonWave
        from emotion_rppg.runtime.cache import Cache, chosen_folder
        from emotion_rppg.runtime.provenance import write_run
        from emotion_rppg.runtime.tables import check_out, write_wave
        from emotion_rppg.study import Reading, as_recordings
        from emotion_rppg.study.acquisition import cached_waves
        from emotion_rppg.study.corrections import beats_with_edits

        options: dict[str, Any] = {"method": method, "region": region, "weights": weights}
        Reading(region=region, face=face)
        out_checks = [partial(check_out, path) for path in (out, rates) if path is not None]
        run_checks(*signal_checks(**options, device=device, paths=[video]), *out_checks)
        recording = _only_one(as_recordings(video, channel=channel), video)
        reading = Reading(**options, face=face, device=device)
        folder = chosen_folder(cache)
        store = None if folder is None else Cache(folder)
        with progress_bar("reading") as progress:
            waves = cached_waves(recording, reading, store)
            waves = waves or reading.waves(recording, progress, cache=store)
        people = reading.reads_people(recording)
        files, rate_files = (
            _wave_files(path, len(waves)) if people else [path] for path in (out, rates)
        )
        results, lines = [], []
        for number, (wave, *written) in enumerate(zip(waves, files, rate_files, strict=True), 1):
            person = number if people else None
            beats = beats_with_edits(recording, wave, reading, edits=edits, person=person)
            camera = reading if recording.video is not None else None
            result, text = _summary(wave, camera, beats)
            results.append(result)
            if isinstance(wave, PersonWave):
                result |= _place(wave)
                text = [f"person {len(results)}: {text[0]}", f"  {wave.place}", *text[1:]]
            if written[1] is not None:
                text.append(_write_rates(wave, written[1]))
            lines += [*text, *(str(file) for file in written if file is not None)]
            if written[0] is not None:
                write_wave(wave, written[0])
            arguments = {**options, "face": face, "channel": channel, "edits": edits}
            for file in written:
                if file is not None:
                    write_run(
                        file, "pulse", {"video": video, **arguments, "device": device}, [video]
                    )
        reasons = [result["reason"] for result in results if result["hr_bpm"] is None]
        lines.append(closing_line(reasons, len(results), "heart rate"))
        everybody = [{"person": n, **result} for n, result in enumerate(results, 1)]
        output = {"people": everybody, "method": reading.method} if people else results[0]
        print_result("\n".join(lines), as_json, output)


def _wave_files(out: Path | None, people: int) -> list[Path | None]:
    """Name the file of each person: wave_1.csv, wave_2.csv … for wave.csv."""
    numbers = range(1, people + 1)
    return [None if out is None else out.with_name(f"{out.stem}_{n}{out.suffix}") for n in numbers]


def _write_rates(wave: Signal, file: Path) -> str:
    """Write the heart rate over time, and say in a line how much of it is trusted."""
    import pandas as pd

    from emotion_rppg.features.beats.rate_over_time import heart_rate_over_time
    from emotion_rppg.runtime.tables import write_table

    found = heart_rate_over_time(wave)
    rates = found.trusted().round(2)
    columns = {"time_s": found.times_s.round(3), "hr_bpm": rates, "quality": found.quality.round(3)}
    write_table(pd.DataFrame(columns), file)
    trusted = int(pd.notna(rates).sum())
    return f"heart rate over time: {trusted} of {count(len(rates), 'second')} trusted"


def _place(wave: PersonWave) -> dict[str, Any]:
    """State where and when a person of a video is seen, for JSON."""
    shares = {name: round(getattr(wave, name), 3) for name in ("face_x", "face_y", "face_height")}
    return {**shares, "seen_s": [round(t, 2) for t in wave.seen_s]}


def _summary(
    wave: Signal, reading: Reading | None, own: PulseBeats
) -> tuple[dict[str, Any], list[str]]:
    """Describe a wave as content for JSON and as lines.

    ``reading``: how it was estimated; ``own``: its beats, and the wave without marked noise.
    """
    from emotion_rppg.features.beats.heart_rate import estimate_heart_rate

    judged = wave if own.corrected is None or own.wave is None else own.wave
    heart_rate = estimate_heart_rate(judged, None if own.corrected is None else own.beats)
    hr_bpm, reason = heart_rate.hr_bpm, heart_rate.reason
    is_camera = reading is not None
    result = {
        "hr_bpm": None if hr_bpm is None else round(hr_bpm, 2),
        "hr_by": None if hr_bpm is None else heart_rate.by,
        "quality": json_number(heart_rate.quality, 3),
        "face_coverage": json_number(wave.coverage, 3) if is_camera else None,
        "rate_hz": json_number(wave.rate_hz, 4),
        "duration_s": json_number(wave.duration_s, 3),
        "method": None if reading is None else reading.method,
    }
    if reason:
        result["reason"] = reason
    edited = [] if own.corrected is None else [own.corrected.in_words()]
    if own.corrected is not None:
        result["edits"] = len(own.corrected.applied)
    rate = "heart rate withheld" if hr_bpm is None else f"{hr_bpm:.1f} bpm"
    coverage = f"{'face detected' if is_camera else 'signal present'} {wave.coverage:.0%}"
    length = f"{wave.duration_s:.1f} s at {wave.rate_hz:g} Hz"
    origin = (
        (wave.kind or "signal") if reading is None else f"method {Path(str(reading.method)).name}"
    )
    line = f"{rate} · quality {heart_rate.quality:.2f} · {coverage} · {length} · {origin}"
    return result, [line, *([reason] if reason else []), *edited]


def _only_one(recordings: list[Any], given: Path) -> Any:
    if len(recordings) != 1:
        raise InputError(
            f"{given} holds {len(recordings)} recordings: want one; give the file itself"
        )
    return recordings[0]

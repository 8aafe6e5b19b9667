"""`beats`: correct the detected beats of a recording on a page in the browser."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from emotion_rppg.cli.console import count, print_result, progress_bar, user_errors
from emotion_rppg.cli.options import (
    CacheFolder,
    Channel,
    Device,
    Face,
    Json,
    Method,
    Region,
    Source,
    Weights,
)
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import DEFAULT_METHOD, EVERYBODY


@app.command()
def beats(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Video, signal file, session, or folder of a study."),
    ],
    trial: Annotated[
        str | None,
        typer.Option(
            metavar="SUBJECT/SESSION/TRIAL", help="Which recording of a folder with several."
        ),
    ] = None,
    method: Method = DEFAULT_METHOD,
    weights: Weights = None,
    source: Source = "auto",
    channel: Channel = None,
    region: Region = "face",
    face: Face = None,
    person: Annotated[
        int | None,
        typer.Option(min=1, help="With --face all: number of the person whose beats to correct."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Your name, stored with each edit. Default: the name you are logged in with."
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1. Default: a free one.")
    ] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    cache: CacheFolder = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Correct detected beats on a page: add, move, delete, mark noise, undo; saved beside FILE.

    The recording and its detection stay as they are. The edits, with who, when and why, are saved
    as FILE.beats.json, which `features`, `predict` and `pulse` then use. End with Ctrl-C.

    Example: emotion-rppg beats walk.csv --by "A. Example"
    """
    with user_errors():
        from emotion_rppg.app.beats.opening import choose, read_pulse
        from emotion_rppg.app.beats.server import BeatsServer
        from emotion_rppg.app.beats.session import Session
        from emotion_rppg.cli.checks import run_checks, signal_checks
        from emotion_rppg.runtime.cache import Cache, chosen_folder
        from emotion_rppg.study import Reading, as_recordings

        options: dict[str, Any] = {"method": method, "region": region, "weights": weights}
        reading = Reading(**options, source=source, face=face, device=device)
        _check_person(face, person)
        run_checks(*signal_checks(**options, device=device, paths=[path]))
        found = as_recordings(path, channel=channel, kind=reading.source)
        recording = choose(found, trial, path)
        folder = chosen_folder(cache)
        store = None if folder is None else Cache(folder)
        with progress_bar("reading") as progress:
            pulse = read_pulse(recording, reading, person=person, cache=store, progress=progress)
        name = _login() if by is None else by
        session = Session(recording, reading, pulse, by=name, person=person)
        with BeatsServer(session, port) as server:
            typer.echo(f"Correct the beats at {server.address} (Ctrl-C ends)", err=as_json)
            if browser:
                import webbrowser

                webbrowser.open(server.address)
            server.wait()
        text, result = _closing(session)
        print_result(text, as_json, result)


def _check_person(face: Any, person: int | None) -> None:
    if (face == EVERYBODY) != (person is not None):
        raise InputError(
            f"--face {EVERYBODY} and --person N belong together: the beats of one person are "
            "corrected at a time; or give --face N, the number of a face"
        )


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such account
        return ""


def _closing(session: Any) -> tuple[str, dict[str, Any]]:
    """Say what was saved, and what was not."""
    saved = len(session.edits) - session.unsaved if session.unsaved else len(session.edits)
    there = session.path.is_file()
    text = f"{count(len(session.edits), 'edit')} → {session.path}" if there else "nothing saved"
    if session.unsaved:
        text = f"{count(session.unsaved, 'edit')} not saved; {session.path.name}: {saved} edits"
    result = {
        "file": str(session.path) if there else None,
        "edits": len(session.edits),
        "unsaved": session.unsaved,
    }
    return text, result

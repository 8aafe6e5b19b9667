"""`doctor`, `init`, `datasets` and `cache`: what is installed and stored on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from emotion_rppg.cli.console import print_result, user_errors
from emotion_rppg.cli.options import Json, Root
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check versions, devices, codecs and the face detector; print how to install what is missing.

    Example: emotion-rppg doctor
    """
    from emotion_rppg.doctor import diagnose

    findings = diagnose()
    if as_json:
        typer.echo(json.dumps({f.name: {"ok": f.ok, "found": f.found} for f in findings}))
        return
    for finding in findings:
        mark = "ok  " if finding.ok else "MISS" if finding.required else "–   "
        typer.echo(f"{mark}  {finding.name:<16} {finding.found}")
        if not finding.ok:
            typer.echo(f"      → {finding.cure}")
    missing = [f.name for f in findings if f.required and not f.ok]
    typer.echo(f"missing: {', '.join(missing)}" if missing else "everything that is required works")


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the study; made if it is missing.")
    ],
) -> None:
    """Write a template manifest.csv and manifest.json for your own study.

    Existing files are not changed.

    Example: emotion-rppg init my_study/
    """
    with user_errors():
        from emotion_rppg.datasets.folder import write_template

        existed = (folder / "manifest.csv").is_file()
        path = write_template(folder)
        typer.echo(
            f"{path} exists and was not changed"
            if existed
            else f"{path}: add one row a trial; {path.with_suffix('.json').name} has the scale of "
            "each rating"
        )
        typer.echo(f"then run `emotion-rppg features {folder} --out table.csv`")


@app.command()
def datasets(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Data set to describe. Default: list all.")
    ] = None,
    root: Root = None,
    other: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=DIR",
            help="Another data set and its folder (repeatable): list the people who are in both.",
        ),
    ] = [],  # noqa: B006
    cite: Annotated[bool, typer.Option("--cite", help="Print the BibTeX entry.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File (.txt or .json) for what --root finds, to send with a report. It is written "
            "also if the reader refuses the folder, and has no path outside of it."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the data sets, describe one, or check the files of a download (--root).

    Example: emotion-rppg datasets stress-predict --root Stress-Predict/ --out check.txt
    """
    with user_errors():
        from emotion_rppg.datasets import cards

        if out is not None and (name is None or root is None):
            raise InputError(f"--out {out}: want the name of a data set and --root with its folder")
        if name is None:
            typer.echo(json.dumps(cards.all_cards()) if as_json else cards.cards_as_text())
            return
        if cite:
            typer.echo(cards.citation(name))
            return
        others = {}
        for text in other:
            other_name, _, folder = text.partition("=")
            if not (root and other_name and folder):
                raise InputError(f"--other {text}: want NAME=DIR, and --root for {name} itself")
            others[other_name] = Path(folder)
        facts = _checked(name, root, others, out) if root else cards.describe(name, None)
        text = json.dumps(facts, ensure_ascii=False)
        typer.echo(text if as_json else cards.description_as_text(facts))


def _checked(name: str, root: Path, others: dict[str, Path], out: Path | None) -> dict[str, Any]:
    """Check a download; write the result to ``out`` also if the reader refuses the folder."""
    from emotion_rppg.datasets import cards
    from emotion_rppg.study.download_check import check_download

    try:
        facts = check_download(name, root, others)
    except InputError as error:
        if out is None or not root.is_dir():
            raise
        _write_check(out, cards.refusal(name, root, error))
        raise InputError(f"{error}; {out} says what the folder has") from error
    if out is not None:
        _write_check(out, facts)
    return facts


def _write_check(out: Path, facts: dict[str, Any]) -> None:
    from emotion_rppg.datasets.cards import description_as_text
    from emotion_rppg.runtime.atomic_files import atomic_file

    is_json = out.suffix.lower() == ".json"
    text = (
        json.dumps(facts, ensure_ascii=False, indent=1) if is_json else description_as_text(facts)
    )
    with atomic_file(out) as part:
        part.write_text(text + "\n", encoding="utf-8")


@app.command("cache")
def cached_results(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folder that --cache named, or the folder of an unfinished output. Default: that "
            "of EMOTION_RPPG_CACHE.",
        ),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Delete the cached results.")] = False,
    older: Annotated[
        float,
        typer.Option(
            metavar="DAYS", help="With --clear: delete only results older than this; 0: all."
        ),
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Show or delete cached intermediate results, and those of interrupted commands.

    Example: emotion-rppg cache cached/ --clear --older 30
    """
    with user_errors():
        from emotion_rppg.runtime.cache import VARIABLE, chosen_folder, list_entries

        place = chosen_folder(folder)
        if place is None or not place.is_dir():
            fault = f"no folder {str(place)!r}" if place else f"no folder given, {VARIABLE} not set"
            raise InputError(f"{fault}: name the folder that --cache or --out had")
        entries = list_entries(place, clear=clear, older_days=older)
        verb = "deleted" if clear else "cached"
        lines = [f"{e.results} results, {e.bytes / 1e6:.1f} MB {verb}: {e.folder}" for e in entries]
        folders = [{**vars(e), "folder": str(e.folder)} for e in entries]
        print_result("\n".join(lines), as_json, {"cleared": clear, "folders": folders})

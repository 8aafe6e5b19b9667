"""`doctor`, `init`, `datasets`, `cache`: what is on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from emotion_rppg.cli.console import plainly, say
from emotion_rppg.cli.options import Json, Root
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this machine: versions, devices, codecs, face detector; with a cure for each lack.

    Example: emotion-rppg doctor
    """
    from emotion_rppg.cli.doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps({f.what: {"ok": f.ok, "found": f.found} for f in findings}))
        return
    for finding in findings:
        mark = "ok  " if finding.ok else "MISS" if finding.needed else "–   "
        typer.echo(f"{mark}  {finding.what:<16} {finding.found}")
        if not finding.ok:
            typer.echo(f"      → {finding.cure}")
    lacking = [f.what for f in findings if f.needed and not f.ok]
    verdict = f"lacking: {', '.join(lacking)}" if lacking else "all that is needed is there"
    typer.echo(verdict)


@app.command()
def init(folder: Path) -> None:
    """Write a template manifest.csv for a study of one's own; existing files are kept.

    Example: emotion-rppg init my_study/
    """
    with plainly():
        from emotion_rppg.datasets.folder import write_template

        path = write_template(folder)
        typer.echo(f"{path}: fill it in, then `emotion-rppg features {folder} --out table.csv`")


@app.command()
def datasets(
    name: Annotated[str | None, typer.Argument(help="One data set.")] = None,
    root: Root = None,
    other: Annotated[
        list[str], typer.Option(help="NAME=DIR of another set (repeat): are people in both?")
    ] = [],  # noqa: B006
    cite: Annotated[bool, typer.Option("--cite", help="Print its BibTeX.")] = False,
    as_json: Json = False,
) -> None:
    """List the data sets, describe one, or check a download with --root.

    Example: emotion-rppg datasets stress-predict --root Stress-Predict/
    """
    with plainly():
        from emotion_rppg.datasets import cards

        if name is None:
            typer.echo(json.dumps(cards.all_cards()) if as_json else cards.cards_as_text())
            return
        if cite:
            typer.echo(cards.citation(name))
            return
        pairs = [text.partition("=") for text in other]
        for text, (set_name, _, folder) in zip(other, pairs, strict=True):
            if not (root and set_name and folder):
                raise InputError(f"--other {text}: want NAME=DIR, and --root for {name} itself")
        found = cards.describe(name, root, {set_name: Path(at) for set_name, _, at in pairs})
        typer.echo(json.dumps(found) if as_json else cards.description_as_text(found))


@app.command("cache")
def kept(
    folder: Annotated[
        Path | None, typer.Argument(help="Default: that of EMOTION_RPPG_CACHE.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove what is kept.")] = False,
    older: Annotated[float, typer.Option(help="With --clear: only older than so many days.")] = 0.0,
    as_json: Json = False,
) -> None:
    """See or clear the results that are kept: by --cache, and of unfinished outputs in a folder.

    Example: emotion-rppg cache kept/ --clear --older 30
    """
    with plainly():
        from emotion_rppg.runtime.cache import VARIABLE, chosen_folder, list_entries

        place = chosen_folder(folder)
        if place is None or not place.is_dir():
            what = f"no folder {str(place)!r}" if place else f"{VARIABLE} is not set"
            raise InputError(f"{what}: name the folder that --cache or --out had")
        found = list_entries(place, clear=clear, older_days=older)
        verb = "removed" if clear else "kept"
        lines = [f"{f.results} results, {f.bytes / 1e6:.1f} MB {verb}: {f.folder}" for f in found]
        folders = [{**vars(f), "folder": str(f.folder)} for f in found]
        say("\n".join(lines), as_json, {"cleared": clear, "folders": folders})

"""The command line: each verb parses its arguments, calls the package and prints. No computation.

Heavy imports stand inside the verbs, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from emotion_rppg import __version__
from emotion_rppg.errors import InputError

app = typer.Typer(
    help="Emotion from the pulse a camera sees: video → pulse → features → arousal and valence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
train = typer.Typer(help="Train a pulse network, a beat encoder or an emotion model.")
app.add_typer(train, name="train", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", help="Where the result goes.")]
Json = Annotated[bool, typer.Option("--json", help="Last line of output: one JSON object.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps; openvino.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes to use.")]
Region = Annotated[str, typer.Option(help="face, full, or x,y,w,h in pixels.")]
Face = Annotated[int | None, typer.Option(help="Which face, 1 = the largest.", min=1)]
Weights = Annotated[Path | None, typer.Option(help="Folder of a trained pulse network.")]
Method = Annotated[str, typer.Option(help="green, chrom, pos …, or the folder of a network.")]
Length = Annotated[float, typer.Option(help="Window length in seconds.")]
Step = Annotated[float, typer.Option(help="Seconds from one window's start to the next.")]
Dataset = Annotated[str | None, typer.Option(help="A data set's name; see `datasets`.")]
Root = Annotated[Path | None, typer.Option(help="The folder the data set lies in.")]
Scheduler = Annotated[str | None, typer.Option(help="A Dask scheduler, tcp://host:port.")]
KeepIn = Annotated[
    Path | None, typer.Option("--cache", help="Keep results here for later runs, too.")
]

_DISK = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "your quota is used up; free some space, then run the same command again",
    errno.EFBIG: "the file is larger than this disk or account allows; choose another --out",
    errno.EROFS: "the disk is read-only; choose another --out",
    errno.EACCES: "choose an --out that you may write to",
    errno.EPERM: "choose an --out that you may write to",
    errno.EIO: "the disk reports a fault; choose another --out",
}


@contextmanager
def _plainly() -> Iterator[None]:
    """Bad input is one sentence and exit 2; an interruption is exit 130; a bug keeps its trace."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        yield
    except InputError as error:
        typer.echo(f"emotion-rppg: {error}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        if error.errno not in _DISK:
            raise
        what = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        typer.echo(f"emotion-rppg: cannot write: {what}{where}: {_DISK[error.errno]}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo(
            "emotion-rppg: interrupted; files already written are whole, and the same command "
            "goes on where it can",
            err=True,
        )
        raise typer.Exit(130) from None


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left, on standard error and only where somebody watches."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _hushed(name: str) -> Iterator[None]:
    """Warnings of one logger are not shown while the block runs."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _say(text: str, as_json: bool, result: dict[str, Any]) -> None:
    """The result for a person, or for a program."""
    typer.echo(json.dumps(result, ensure_ascii=False, allow_nan=False) if as_json else text)


def _number(value: float, digits: int = 2) -> float | None:
    """A JSON number; NaN, which JSON does not know, becomes null."""
    return None if value != value else round(float(value), digits)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this machine: versions, devices, codecs, face detector; with a cure for each lack.

    Example: emotion-rppg doctor
    """
    from emotion_rppg.doctor import examine

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
    with _plainly():
        from emotion_rppg.datasets.folder import write_template

        path = write_template(folder)
        typer.echo(f"{path}: fill it in, then `emotion-rppg features {folder} --out table.csv`")


@app.command()
def datasets(
    name: Annotated[str | None, typer.Argument(help="One data set.")] = None,
    root: Root = None,
    cite: Annotated[bool, typer.Option("--cite", help="Print its BibTeX.")] = False,
    as_json: Json = False,
) -> None:
    """List the data sets, describe one, or check a download with --root.

    Example: emotion-rppg datasets stress-predict --root Stress-Predict/
    """
    with _plainly():
        from emotion_rppg.report import cards

        if name is None:
            typer.echo(json.dumps(cards.listed()) if as_json else cards.as_text())
            return
        if cite:
            typer.echo(cards.cited(name))
            return
        found = cards.described(name, root)
        typer.echo(json.dumps(found) if as_json else cards.described_as_text(found))


@app.command()
def pulse(
    video: Path,
    method: Method = "physnet",
    out: Annotated[Path | None, typer.Option("--out", help="wave.csv")] = None,
    region: Region = "face",
    face: Face = None,
    weights: Weights = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Read the pulse wave from a face video.

    Example: emotion-rppg pulse me.mp4 --method pos --out wave.csv
    """
    with _plainly():
        from emotion_rppg.provenance import write_run
        from emotion_rppg.pulse.inference import estimate
        from emotion_rppg.quality import judge
        from emotion_rppg.recordings import Video
        from emotion_rppg.tables import check_ending, write_wave

        if out is not None:
            check_ending(out)
        with _progress("reading") as progress:
            wave = estimate(
                Video(video),
                method,
                device=device,
                region=region,
                face=face,
                weights=weights,
                progress=progress,
            )
        verdict = judge(wave)
        result = {
            "hr_bpm": None if verdict.hr_bpm is None else round(verdict.hr_bpm, 2),
            "quality": _number(verdict.quality, 3),
            "face_coverage": _number(wave.coverage, 3),
            "rate_hz": _number(wave.rate_hz, 4),
            "duration_s": _number(wave.duration_s, 3),
            "method": method,
        }
        if verdict.reason:
            result["reason"] = verdict.reason
        if out is not None:
            write_wave(wave, out)
            arguments = {"method": method, "region": region, "face": face, "weights": weights}
            write_run(out, "pulse", {"video": video, **arguments, "device": device}, [video])
        rate = f"{verdict.hr_bpm:.1f} bpm" if verdict.hr_bpm is not None else "heart rate withheld"
        text = f"{rate} · quality {verdict.quality:.2f} · face seen {wave.coverage:.0%} · {wave}"
        text += f"\n{verdict.reason}" if verdict.reason else ""
        _say(text + (f"\n{out}" if out else ""), as_json, result)


@app.command()
def features(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Videos, CSVs, E4, EDF, BIDS, folders.")
    ] = None,
    out: Out = Path("table.csv"),
    dataset: Dataset = None,
    root: Root = None,
    method: Method = "pos",
    weights: Weights = None,
    source: Annotated[str, typer.Option(help="auto, rppg (video), bvp or ecg.")] = "auto",
    length: Length = 60.0,
    step: Step = 30.0,
    whole: Annotated[bool, typer.Option("--whole", help="One row a recording.")] = False,
    families: Annotated[
        str, typer.Option(help="Names with commas: hrv, sequence, morphology.")
    ] = "hrv,sequence",
    baseline: Annotated[
        str, typer.Option(help="Trial (its name) or first seconds (a number) to compare with.")
    ] = "",
    encoder: Annotated[Path | None, typer.Option(help="Encoder folder: adds emb_000…")] = None,
    bids: Annotated[
        Path | None, typer.Option(help="Write the waves here, too, as BIDS _physio.tsv.gz.")
    ] = None,
    region: Region = "face",
    face: Face = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    cache: KeepIn = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Extract the feature table of a study: one row a window.

    After an interruption the same command goes on with the recordings that are left.

    Example: emotion-rppg features my_study/ --out table.csv --method pos
    """
    with _plainly():
        from emotion_rppg.cache import Cache, beside, chosen
        from emotion_rppg.checkpoints import check_folder
        from emotion_rppg.datasets.bids import write_bids
        from emotion_rppg.provenance import write_run
        from emotion_rppg.report.dictionary import write_dictionary
        from emotion_rppg.study import extract, waves
        from emotion_rppg.tables import check_ending, write_table

        check_ending(out)
        if bids is not None:
            check_folder(bids)
        options: dict[str, Any] = {
            "method": method,
            "weights": weights,
            "source": source,
            "length_s": None if whole else length,
            "step_s": step,
            "families": [name.strip() for name in families.split(",") if name.strip()],
            "baseline": _baseline(baseline),
            "region": region,
            "face": face,
            "encoder": encoder,
        }
        recordings = _recordings(paths or [], dataset, root)
        # what fails is listed at the end, not in the middle of the bar
        with _hushed("emotion_rppg.study"), beside(out) as kept, _progress("extracting") as bar:
            store = kept if (keep := chosen(cache)) is None else Cache(keep)
            table = extract(
                recordings,
                **options,
                workers=workers,
                scheduler=scheduler,
                cache=store,
                device=device,
                progress=bar,
            )
            if bids is not None:
                how = {k: options[k] for k in ("method", "weights", "source", "region", "face")}
                write_bids(bids, waves(recordings, **how, device=device, cache=store))
            write_table(table, out)
            write_dictionary(table, out.with_suffix(".columns.md"))
            given = list(paths or [])
            arguments = {"paths": given, "dataset": dataset, "root": root, **options}
            write_run(out, "features", arguments, [*given, *([root] if root else [])])
        failures = table.attrs["failures"]
        for failure in failures:
            typer.echo(f"not read: {failure['recording']}: {failure['reason']}", err=True)
        text = f"{len(table)} windows of {len(recordings) - len(failures)} recordings → {out}"
        result = {"rows": len(table), "recordings": len(recordings), "failures": failures}
        _say(text, as_json, {**result, "out": str(out)})


def _baseline(text: str) -> str | float | None:
    """Seconds where the text is a number, else a trial's name; None where there is none."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _recordings(paths: list[Path], dataset: str | None, root: Path | None) -> list[Any]:
    """The recordings that the arguments name: paths, or a data set and its folder."""
    from emotion_rppg.study import as_recordings

    if (dataset is None) == (not paths):
        raise InputError("give either paths, or --dataset NAME with --root DIR")
    if dataset is None:
        found = [recording for path in paths for recording in as_recordings(path)]
        for name, count in Counter(recording.name for recording in found).items():
            if count > 1:
                raise InputError(
                    f"two inputs are called {name}: give the folder above them instead"
                )
        return found
    from emotion_rppg.report.cards import dataset_class

    if root is None:
        raise InputError(f"--dataset {dataset} needs --root DIR, the folder it lies in")
    return list(dataset_class(dataset)(root))


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
    with _plainly():
        from emotion_rppg.cache import VARIABLE, chosen, listed

        place = chosen(folder)
        if place is None or not place.is_dir():
            what = f"no folder {str(place)!r}" if place else f"{VARIABLE} is not set"
            raise InputError(f"{what}: name the folder that --cache or --out had")
        found = listed(place, clear=clear, older_days=older)
        verb = "removed" if clear else "kept"
        lines = [f"{f.results} results, {f.bytes / 1e6:.1f} MB {verb}: {f.folder}" for f in found]
        folders = [{**vars(f), "folder": str(f.folder)} for f in found]
        _say("\n".join(lines), as_json, {"cleared": clear, "folders": folders})


@app.command()
def evaluate(
    out: Out = Path("evaluation"),
    stage: Annotated[str, typer.Option(help="emotion, or pulse: --methods on videos.")] = "emotion",
    methods: Annotated[str, typer.Option(help="Of stage pulse: pos,physnet,DIR.")] = "pos,physnet",
    table: Annotated[Path | None, typer.Option(help="A feature table.")] = None,
    dataset: Dataset = None,
    root: Root = None,
    task: Annotated[list[str], typer.Option(help="Label to predict; repeat for more.")] = [],  # noqa: B006
    coding: Annotated[str, typer.Option(help="midpoint, fixed(x), subject_median …")] = "midpoint",
    split: Annotated[str, typer.Option(help="loso, subject_folds, trials_within …")] = "loso",
    heads: Annotated[str, typer.Option(help="Names with commas, selected, or all.")] = "all",
    normalise: Annotated[str, typer.Option(help="none, calibration, transductive.")] = "none",
    method: Method = "pos",
    source: Annotated[str, typer.Option(help="auto, rppg (video), bvp or ecg.")] = "auto",
    length: Length = 60.0,
    step: Step = 30.0,
    ablate: Annotated[list[str], typer.Option(help="quality: leave those columns out.")] = [],  # noqa: B006
    permutations: Annotated[int, typer.Option(min=0, help="For p: labels exchanged.")] = 0,
    allow_unknown_training: Annotated[
        bool, typer.Option("--allow-unknown-training", help="Networks that hide their people.")
    ] = False,
    workers: Workers = 1,
    scheduler: Annotated[str | None, typer.Option(help="Dask: tcp://host:8786.")] = None,
    seed: int = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Evaluate heads on people they never saw, beside dummies, with confidence intervals.

    Example: emotion-rppg evaluate --table table.csv --task arousal --heads all --out result
    """
    with _plainly():
        if stage == "pulse":
            how = {"workers": workers, "scheduler": scheduler, "device": device}
            _evaluate_pulse(out, dataset, root, methods, allow_unknown_training, as_json, **how)
            return
        if stage != "emotion":
            raise InputError(f"unknown stage {stage!r}; known: emotion, pulse")
        from emotion_rppg.cache import beside
        from emotion_rppg.evaluation import evaluate as evaluated
        from emotion_rppg.evaluation.splits import WORDS
        from emotion_rppg.report.evaluation import write_evaluation
        from emotion_rppg.study import extract, waves
        from emotion_rppg.tables import read_table

        if not task:
            raise InputError("say what to predict: --task arousal (repeat it for more)")
        if table is None and dataset is None:
            raise InputError("give --table FILE, or --dataset NAME with --root DIR")
        recordings = [] if dataset is None else _recordings([], dataset, root)
        read: dict[str, Any] = {"method": method, "source": source, "device": device}
        windows: dict[str, Any] = {"length_s": length, "step_s": step, "workers": workers}
        options: dict[str, Any] = {
            "target": task,
            "heads": heads.split(",") if heads != "all" else "all",
            "split": split,
            "coding": coding,
            "normalise": normalise,
            "ablate": ablate,
            "permutations": permutations,
            "allow_unknown_training": allow_unknown_training,
            "seed": seed,
        }
        arguments: dict[str, Any] = {"table": table, **options}
        if dataset is not None:
            given = {"dataset": dataset, "root": root, "method": method, "source": source}
            arguments = {"table": table, **given, "length": length, "step": step, **options}
        inputs = [path for path in (table, root) if path is not None]
        run: dict[str, Any] = {"workers": workers, "scheduler": scheduler}
        with beside(out) as kept, _progress("evaluating") as bar:  # a stopped run goes on there
            if table is not None:
                rows = read_table(table)
            else:
                rows = extract(recordings, **read, **windows, cache=kept, progress=bar)
            results = evaluated(
                rows, **options, **run, importance=5, keep=kept.folder, progress=bar
            )

            def waves_of(names: Sequence[str]) -> Iterator[Any]:
                return waves([r for r in recordings if r.person in names], **read, cache=kept)

            means = write_evaluation(
                results,
                rows,
                out,
                arguments=arguments,
                inputs=inputs,
                waves=waves_of if recordings else None,
            )
        text = f"{means.to_string(index=False)}\n{out / 'report.html'}"
        text += f"\n{WORDS[split]}" if split == "leaky_windows" else ""
        _say(
            text, as_json, {"out": str(out), "summary": json.loads(means.to_json(orient="records"))}
        )


def _evaluate_pulse(
    out: Path,
    dataset: str | None,
    root: Path | None,
    methods: str,
    allow_unknown_training: bool,
    as_json: bool,
    **how: Any,
) -> None:
    """Stage one against a contact sensor."""
    from emotion_rppg.cache import beside
    from emotion_rppg.checkpoints import check_folder
    from emotion_rppg.evaluation.pulse import evaluate_pulse
    from emotion_rppg.report.pulse import wide, write_pulse_evaluation

    if dataset is None or root is None:
        raise InputError("give the data set with videos: --dataset NAME --root DIR")
    check_folder(out)
    names = [name.strip() for name in methods.split(",") if name.strip()]
    options: dict[str, Any] = {"methods": names, "allow_unknown_training": allow_unknown_training}
    arguments = {"stage": "pulse", "dataset": dataset, "root": root, **options}
    with beside(out) as kept, _progress("reading") as bar:  # a stopped run goes on there
        results = evaluate_pulse(
            _recordings([], dataset, root), **options, **how, keep=kept.folder, progress=bar
        )
        scores = write_pulse_evaluation(results, out, arguments=arguments, inputs=[root])
    failed = results.attrs["failures"]
    text = f"{wide(scores).to_string(index=False)}\n{out / 'report.html'}"
    text += "".join(f"\n{f['recording']} ({f['method']}): {f['reason']}" for f in failed)
    summary = json.loads(scores.to_json(orient="records"))
    _say(text, as_json, {"out": str(out), "summary": summary, "failures": failed})


@app.command()
def predict(
    given: Annotated[Path, typer.Argument(metavar="VIDEO|CSV", help="A face video or a signal.")],
    model: Annotated[Path, typer.Option(help="Model folder from `train emotion`, or stress.")],
    out: Out = Path("prediction"),
    calibrate: Annotated[Path | None, typer.Option(help="The same person at rest.")] = None,
    region: Region = "face",
    face: Face = None,
    weights: Weights = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Predict arousal and valence over a video or a pulse recording.

    Example: emotion-rppg predict me.mp4 --model model --out prediction
    """
    with _plainly():
        from emotion_rppg.report.prediction import write_prediction
        from emotion_rppg.study import load, read_like

        trained = load(model)
        how: dict[str, Any] = {"region": region, "face": face, "weights": weights, "device": device}
        rest = None
        if calibrate is not None:
            with _progress("reading the rest") as progress:
                rest, _ = read_like(trained, calibrate, **how, progress=progress)
        with _progress("reading") as progress:
            table, wave = read_like(trained, given, **how, progress=progress)
        rows = trained.predict(table, rest=rest)
        arguments = {"given": given, "model": model, "calibrate": calibrate, "region": region}
        inputs = [path for path in (given, calibrate, model) if path is not None and path.exists()]
        said = write_prediction(
            rows, wave, trained, out, arguments=arguments | {"face": face}, inputs=inputs
        )
        _say(f"{said['text']}\n{out / 'report.html'}", as_json, said["json"])


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT.pth")],
    model: Annotated[Path, typer.Argument(help="The model folder to write.")],
    trained_on: Annotated[list[str], typer.Option(help="SET:ID,ID… (repeat), or unknown.")],
    size: Annotated[int, typer.Option(help="Pixels a side it was trained on.")] = 72,
    rate: Annotated[float, typer.Option(help="Frames a second it was trained on.")] = 30.0,
    normalisation: Annotated[str | None, typer.Option(help="diff_normalised, raw …")] = None,
    as_json: Json = False,
) -> None:
    """Make a model folder of a public PhysNet checkpoint; measures its polarity and lag.

    Example: emotion-rppg convert UBFC_PhysNet.pth physnet --trained-on unknown
    """
    with _plainly():
        from emotion_rppg.provenance import write_run
        from emotion_rppg.pulse.convert import convert as converted

        options: dict[str, Any] = {"size": size, "rate_hz": rate, "normalisation": normalisation}
        with _progress("measuring"):
            found = converted(checkpoint, model, trained_on=trained_on, **options)
        write_run(model, "convert", {"trained_on": trained_on, **options}, [checkpoint])
        text = f"polarity {found.polarity:+d} · lag {found.lag_s:+.3f} s · gives the {found.output}"
        text += f" · r with POS {found.r:+.2f}\n{model}"
        _say(text, as_json, {**found._asdict(), "out": str(model)})


@app.command()
def live(
    camera: Annotated[str, typer.Option(help="Number of the camera, or a video file.")] = "0",
    method: Method = "pos",
    region: Region = "face",
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so long.")] = None,
    paced: Annotated[bool, typer.Option(help="A file at the pace it was taken.")] = True,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Watch the pulse of whoever sits before the camera; with --json a line a second.

    Example: emotion-rppg live --camera 0
    """
    with _plainly():
        from emotion_rppg.live import watch
        from emotion_rppg.video.cameras import camera_frames, replayed

        number = int(camera) if camera.isdigit() else None
        source = (
            camera_frames(number) if number is not None else replayed(Path(camera), paced=paced)
        )
        for reading in watch(source, method, region=region, device=device):
            typer.echo(json.dumps(reading.as_json()) if as_json else str(reading))
            if seconds is not None and reading.time_s >= seconds:
                return


@app.command("app")
def web_page(
    model: Annotated[Path | None, typer.Option(help="Model folder: adds the emotion.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: the first free from 7860.")] = None,
) -> None:
    """Serve a web page on this machine alone: a face video in, pulse and HRV out.

    Example: emotion-rppg app --model model
    """
    with _plainly():
        from emotion_rppg.app import page, serve

        with page(model) as blocks:
            serve(blocks, port=port)


@app.command()
def demo(
    out: Out = Path("demo"),
    seed: int = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Default: all cores.")] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """The whole chain on synthetic people: videos, features, evaluation, model, report.html.

    Example: emotion-rppg demo --out demo
    """
    with _plainly():
        from emotion_rppg.demo import run_demo

        result = run_demo(out, seed=seed, workers=workers, device=device, progress=_progress)
        _say(result["text"], as_json, result["json"])


@train.command("emotion")
def train_emotion(
    table: Annotated[Path, typer.Option(help="A feature table.")],
    target: Annotated[list[str], typer.Option(help="Label to learn; repeat for more.")],
    out: Out = Path("model"),
    head: Annotated[str, typer.Option(help="logistic, svm, forest or lstm.")] = "logistic",
    coding: Annotated[str, typer.Option(help="midpoint, fixed(x), subject_median …")] = "midpoint",
    encoder: Annotated[Path | None, typer.Option(help="Encoder that made emb_000…")] = None,
    normalise: Annotated[str, typer.Option(help="none, or calibration.")] = "none",
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Fit an emotion model on every labelled row of a feature table.

    Example: emotion-rppg train emotion --table table.csv --target arousal --out model
    """
    with _plainly():
        from emotion_rppg.provenance import write_run
        from emotion_rppg.study import fit
        from emotion_rppg.tables import read_table

        options: dict[str, Any] = {"target": target, "head": head, "coding": coding}
        options |= {"normalise": normalise}
        arguments = {"table": table, **options, "seed": seed}
        with _progress("fitting"):
            model = fit(read_table(table), **options, encoder=encoder, random_state=seed)
        model.save(out)
        write_run(out, "train emotion", arguments, [table])
        note = f"\n{model.note}" if model.note else ""
        _say(f"{out}{note}", as_json, {"out": str(out), "note": model.note})


@train.command("encoder")
def train_encoder(
    table: Annotated[list[Path], typer.Option(help="Feature table with sequences; repeat.")],
    out: Out = Path("encoder"),
    cell: Annotated[str, typer.Option(help="lstm, gru or rnn.")] = "lstm",
    hidden: Annotated[int, typer.Option(min=1, help="Size of the embedding.")] = 32,
    layers: Annotated[int, typer.Option(min=1)] = 1,
    bidirectional: Annotated[bool, typer.Option("--bidirectional")] = False,
    pooling: Annotated[str, typer.Option(help="last, mean or attention.")] = "last",
    reads: Annotated[str, typer.Option(help="What it is given: beats or tachogram.")] = "beats",
    writes: Annotated[str | None, typer.Option(help="What is to be written: the same.")] = None,
    order: Annotated[str, typer.Option(help="Writing: reverse or forward.")] = "reverse",
    scheduled_sampling: Annotated[
        bool, typer.Option("--scheduled-sampling", help="Tell the value before, ever more rarely.")
    ] = False,
    masked: Annotated[float, typer.Option(help="Share of beats that are hidden.")] = 0.0,
    epochs: Annotated[int, typer.Option(min=1)] = 60,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    seed: int = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Pretrain a beat encoder on tables, without their labels (a sequence autoencoder).

    Example: emotion-rppg train encoder --table table.csv --out encoder
    """
    with _plainly():
        from emotion_rppg.checkpoints import check_folder, checkpoint_beside
        from emotion_rppg.provenance import write_run
        from emotion_rppg.study import pretrain_encoder
        from emotion_rppg.tables import read_table

        check_folder(out)
        checkpoint = checkpoint_beside(out)
        options: dict[str, Any] = {
            "cell": cell,
            "hidden": hidden,
            "layers": layers,
            "bidirectional": bidirectional,
            "pooling": pooling,
            "reads": reads,
            "writes": writes,
            "order": order,
            "scheduled_sampling": scheduled_sampling,
            "masked": masked,
            "epochs": epochs,
        }
        with _progress("training") as progress:
            encoder = pretrain_encoder(
                [read_table(path) for path in table],
                **options,
                random_state=seed,
                device=device,
                checkpoint=checkpoint,
                resume=resume,
                progress=progress,
            )
        encoder.save(out)
        checkpoint.unlink(missing_ok=True)
        write_run(out, "train encoder", {"table": table, **options, "seed": seed}, table)
        _say(str(out), as_json, {"out": str(out)})


@train.command("pulse")
def train_pulse(
    out: Out = Path("physnet"),
    dataset: Dataset = None,
    root: Root = None,
    steps: Annotated[int, typer.Option(min=1)] = 1000,
    batch_size: Annotated[int, typer.Option(min=1)] = 4,
    size: Annotated[int, typer.Option(min=16, help="Pixels a side of the face picture.")] = 36,
    frames: Annotated[int, typer.Option(min=16, help="Frames a clip.")] = 128,
    normalisation: Annotated[str, typer.Option(help="temporal, diff_normalised …")] = "temporal",
    learning_rate: float = 3e-3,
    loss: Annotated[
        str, typer.Option(help="pearson, lag_tolerant, pearson+frequency …")
    ] = "pearson",
    varied: Annotated[float, typer.Option(help="Share of lifelike synthetic clips.")] = 0.75,
    validation: Annotated[float, typer.Option(help="Share of the people to hold out.")] = 0.0,
    patience: Annotated[int, typer.Option(min=1, help="Validations without a better one.")] = 10,
    init: Annotated[Path | None, typer.Option(help="Trained network to begin with.")] = None,
    loaders: Annotated[int, typer.Option(min=0, help="Processes that make clips.")] = 0,
    devices: Annotated[int, typer.Option(min=1)] = 1,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed, 16-mixed.")] = "32-true",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    cache: KeepIn = None,
    seed: int = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train PhysNet: on a data set with videos and contact pulse, or on synthetic clips.

    Example: emotion-rppg train pulse --out physnet --steps 500 --size 16
    """
    with _plainly():
        from emotion_rppg.cache import Cache, chosen
        from emotion_rppg.provenance import write_run
        from emotion_rppg.pulse.training import Recipe, sources
        from emotion_rppg.pulse.training import train as run_training

        recipe = Recipe(
            normalisation=normalisation,
            size=size,
            frames=frames,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            loss=loss,
            varied=varied,
            validation=validation,
            patience=patience,
            seed=seed,
        )
        read = None if dataset is None else _recordings([], dataset, root)
        keep = chosen(cache)
        found = sources(read, recipe, cache=None if keep is None else Cache(keep))
        with _progress("training") as progress:
            run_training(
                found.clips,
                out,
                recipe=recipe,
                validation=found.validation,
                trained_on=found.people,
                init=init,
                device=device,
                devices=devices,
                precision=precision,
                loaders=loaders,
                resume=resume,
                progress=progress,
            )
        arguments = {"dataset": dataset, "root": root, "init": init, "recipe": vars(recipe)}
        write_run(out, "train pulse", arguments, [given for given in (root, init) if given])
        _say(str(out), as_json, {"out": str(out)})


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()

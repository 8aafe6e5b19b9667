"""`train emotion|encoder|pulse` and `convert`: model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from emotion_rppg.cli.console import names_in, plainly, progress_bar, recordings_of, say
from emotion_rppg.cli.options import (
    CalibrationS,
    Dataset,
    Device,
    ExtraFeatures,
    Families,
    Json,
    KeepIn,
    Out,
    Probabilities,
    Root,
)
from emotion_rppg.cli.verbs import app, train


@train.command("emotion")
def train_emotion(
    table: Annotated[Path, typer.Option(help="A feature table.")],
    target: Annotated[list[str], typer.Option(help="Label to learn; repeat for more.")],
    out: Out = Path("model"),
    head: Annotated[str, typer.Option(help="logistic, forest, lstm, multitask …")] = "logistic",
    coding: Annotated[str, typer.Option(help="midpoint, fixed(x), subject_median …")] = "midpoint",
    encoder: Annotated[Path | None, typer.Option(help="Of emb_000… or lstm_pretrained.")] = None,
    normalise: Annotated[str, typer.Option(help="none, or calibration.")] = "none",
    calibration_s: CalibrationS = 240.0,
    probabilities: Probabilities = "temperature",
    families: Families = "",
    extra_features: ExtraFeatures = "",
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Fit an emotion model on every labelled row of a feature table with a trusted pulse.

    Example: emotion-rppg train emotion --table table.csv --target arousal --out model
    """
    with plainly():
        from emotion_rppg.emotion.design_matrix import of_families
        from emotion_rppg.runtime.provenance import write_run
        from emotion_rppg.runtime.tables import read_tables
        from emotion_rppg.study import fit

        options: dict[str, Any] = {"target": target, "head": head, "coding": coding}
        options |= {"normalise": normalise, "calibration_s": calibration_s}
        options |= {"probabilities": probabilities, "extra_features": names_in(extra_features)}
        chosen = names_in(families)
        arguments = {
            "table": table,
            "families": chosen,
            **options,
            "encoder": encoder,
            "seed": seed,
        }
        with progress_bar("fitting"):
            read = read_tables([table])
            rows = of_families(read, chosen) if chosen else read
            model = fit(rows, **options, encoder=encoder, seed=seed)
        model.save(out)
        write_run(out, "train emotion", arguments, [table])
        note = f"\n{model.note}" if model.note else ""
        say(f"{out}{note}", as_json, {"out": str(out), "note": model.note})


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
    with plainly():
        from emotion_rppg.runtime.atomic_files import check_folder
        from emotion_rppg.runtime.model_folders import checkpoint_beside
        from emotion_rppg.runtime.provenance import write_run
        from emotion_rppg.runtime.tables import read_table
        from emotion_rppg.study import pretrain_encoder

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
        with progress_bar("training") as progress:
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
        say(str(out), as_json, {"out": str(out)})


@train.command("pulse")
def train_pulse(
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the result goes. Default: --network.")
    ] = None,
    network: Annotated[str, typer.Option(help="physnet, cnn3d, cnn2d_lstm …")] = "physnet",
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
    init: Annotated[
        str | None, typer.Option(help="Trained --network to begin with: its folder, or bundled.")
    ] = None,
    loaders: Annotated[int, typer.Option(min=0, help="Processes that make clips.")] = 0,
    devices: Annotated[int, typer.Option(min=1)] = 1,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed, 16-mixed.")] = "32-true",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Folder for TensorBoard's event file.")
    ] = None,
    cache: KeepIn = None,
    seed: int = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a pulse network on a data set with videos and contact pulse, or on synthetic clips.

    Example: emotion-rppg train pulse --out physnet --steps 500 --size 16
    """
    with plainly():
        from emotion_rppg.pulse.training.tensorboard import check_events
        from emotion_rppg.pulse.training.train import Recipe, beginning, check_network, sources
        from emotion_rppg.pulse.training.train import train as run_training
        from emotion_rppg.runtime.atomic_files import check_folder
        from emotion_rppg.runtime.cache import Cache, chosen_folder
        from emotion_rppg.runtime.provenance import write_run

        recipe = Recipe(
            network=network,
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
        out = Path(network) if out is None else out
        check_folder(out)  # before the faces of the data set's videos are followed, for hours maybe
        check_network(recipe)
        begun = None if init is None else beginning(init, recipe)
        if tensorboard is not None:
            check_events(tensorboard, out)
        read = None if dataset is None else recordings_of([], dataset, root)
        keep = chosen_folder(cache)
        found = sources(read, recipe, cache=None if keep is None else Cache(keep))
        with progress_bar("training") as progress:
            run_training(
                found.clips,
                out,
                recipe=recipe,
                validation=found.validation,
                trained_on=found.people,
                init=begun,
                device=device,
                devices=devices,
                precision=precision,
                loaders=loaders,
                resume=resume,
                tensorboard=tensorboard,
                progress=progress,
            )
        arguments = {"dataset": dataset, "root": root, "init": init, "recipe": vars(recipe)}
        write_run(out, "train pulse", arguments, [given for given in (root, begun) if given])
        say(str(out), as_json, {"out": str(out)})


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
    with plainly():
        from emotion_rppg.pulse.convert import convert as converted
        from emotion_rppg.runtime.provenance import write_run

        options: dict[str, Any] = {"size": size, "rate_hz": rate, "normalisation": normalisation}
        with progress_bar("measuring"):
            found = converted(checkpoint, model, trained_on=trained_on, **options)
        write_run(model, "convert", {"trained_on": trained_on, **options}, [checkpoint])
        text = f"polarity {found.polarity:+d} · lag {found.lag_s:+.3f} s · gives the {found.output}"
        text += f" · r with POS {found.r:+.2f}\n{model}"
        say(text, as_json, {**found._asdict(), "out": str(model)})

"""`train emotion`, `train encoder`, `train pulse` and `convert`: write model folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion_rppg.cli.console import (
    find_recordings,
    print_result,
    progress_bar,
    split_names,
    user_errors,
)
from emotion_rppg.cli.options import (
    CacheFolder,
    CalibrationS,
    Coding,
    ExtraFeatures,
    Families,
    Json,
    OutFolder,
    Probabilities,
    Root,
    Seed,
    TrainDevice,
)
from emotion_rppg.cli.verbs import app, train
from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    from emotion_rppg.pulse.conversion_check import Measured

Resume = Annotated[
    bool,
    typer.Option("--resume", help="Continue from the checkpoint of an interrupted training."),
]


@train.command("emotion")
def train_emotion(
    table: Annotated[Path, typer.Option(help="Feature table from `features`.")],
    target: Annotated[
        list[str],
        typer.Option(
            metavar="LABEL", help="Label to learn: arousal for column label_arousal (repeatable)."
        ),
    ],
    out: OutFolder = Path("model"),
    head: Annotated[
        str,
        typer.Option(
            help="Classifier or regressor, such as logistic, lda, svm, svm_poly, knn, forest, "
            "boosting, mlp, lstm, cnn, average or multitask; with numbers (--coding as_is) also "
            "ridge and svr."
        ),
    ] = "logistic",
    coding: Coding = "midpoint",
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="Beat encoder folder: for the head lstm_pretrained, or if the encoder of the "
            "table's emb_000 … has moved."
        ),
    ] = None,
    normalise: Annotated[
        str,
        typer.Option(
            help="Normalisation by each person's own data, such as none or calibration (compare "
            "with their first minutes; `predict` then needs --calibrate)."
        ),
    ] = "none",
    calibration_s: CalibrationS = 240.0,
    probabilities: Probabilities = "temperature",
    families: Families = "",
    extra_features: ExtraFeatures = "",
    sources: Annotated[
        str,
        typer.Option(
            help="Sources of the table to read, such as bvp,eda: lstm and cnn then have an encoder "
            "for each source with a sequence. Default: all features, and the beats."
        ),
    ] = "",
    evaluation: Annotated[
        Path | None,
        typer.Option(
            help="Folder of `evaluate --out` on the same table: its scores of this head on people "
            "left out are written in the model card."
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Fit an emotion model on the labelled windows of a feature table that have a trusted pulse.

    `evaluate` measures how good such a model is on people outside the training data; --evaluation
    writes its scores in the model card.

    Example: emotion-rppg train emotion --table table.csv --target arousal --out model
    """
    with user_errors():
        from emotion_rppg.emotion.design_matrix import of_families
        from emotion_rppg.evaluation.model_scores import with_scores
        from emotion_rppg.evaluation.result import Evaluation
        from emotion_rppg.features.trust import closing_line, reasons_in
        from emotion_rppg.runtime.provenance import write_run
        from emotion_rppg.runtime.tables import read_tables
        from emotion_rppg.study import fit

        options: dict[str, Any] = {"target": target, "head": head, "coding": coding}
        options |= {"normalise": normalise, "calibration_s": calibration_s}
        options |= {"probabilities": probabilities, "extra_features": split_names(extra_features)}
        options |= {"sources": split_names(sources)}
        chosen = split_names(families)
        arguments = {
            "table": table,
            "families": chosen,
            **options,
            "encoder": encoder,
            "evaluation": evaluation,
            "seed": seed,
        }
        results = None if evaluation is None else Evaluation.load(evaluation)
        with progress_bar("fitting"):
            rows = read_tables([table])
            rows = of_families(rows, chosen) if chosen else rows
            model = fit(rows, **options, encoder=encoder, seed=seed)
        model = model if results is None else with_scores(model, results, head=head)
        model.save(out)
        inputs = [table, *([] if evaluation is None else [evaluation])]
        write_run(out, "train emotion", arguments, inputs)
        note = f"\n{model.note}" if model.note else ""
        closing = closing_line(reasons_in(rows), len(rows), "window")
        print_result(f"{out}{note}\n{closing}", as_json, {"out": str(out), "note": model.note})


@train.command("encoder")
def train_encoder(
    table: Annotated[
        list[Path],
        typer.Option(help="Feature table with the family sequence, labelled or not (repeatable)."),
    ],
    out: OutFolder = Path("encoder"),
    cell: Annotated[str, typer.Option(help="Recurrent cell: lstm, gru or rnn.")] = "lstm",
    hidden: Annotated[
        int, typer.Option(min=1, help="Number of hidden units in each direction.")
    ] = 32,
    layers: Annotated[int, typer.Option(min=1, help="Number of recurrent layers.")] = 1,
    bidirectional: Annotated[
        bool, typer.Option("--bidirectional", help="Read the sequence in both directions.")
    ] = False,
    pooling: Annotated[
        str, typer.Option(help="How the states become one vector: last, mean or attention.")
    ] = "last",
    reads: Annotated[
        str,
        typer.Option(
            help="Input of the encoder: beats (one token a beat) or tachogram (intervals over "
            "time, evenly sampled)."
        ),
    ] = "beats",
    writes: Annotated[
        str | None,
        typer.Option(
            help="Sequence that the decoder reconstructs: beats or tachogram. Default: that of "
            "--reads."
        ),
    ] = None,
    order: Annotated[
        str, typer.Option(help="Order in which the decoder writes: reverse or forward.")
    ] = "reverse",
    scheduled_sampling: Annotated[
        bool,
        typer.Option(
            "--scheduled-sampling",
            help="Give the decoder the true previous value, with a probability that falls from 1 "
            "to 0 during training.",
        ),
    ] = False,
    masked: Annotated[
        float, typer.Option(help="Share of beats hidden from the encoder, 0 to below 1.")
    ] = 0.0,
    epochs: Annotated[int, typer.Option(min=1, help="Number of training epochs.")] = 60,
    resume: Resume = False,
    seed: Seed = 0,
    device: TrainDevice = "auto",
    as_json: Json = False,
) -> None:
    """Pretrain a beat encoder without labels, as a sequence autoencoder.

    `features --encoder` then adds its embeddings to a table as the columns emb_000 …

    Example: emotion-rppg train encoder --table table.csv --out encoder
    """
    with user_errors():
        from emotion_rppg.features.trust import closing_line, reasons_in
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
        tables = [read_table(path) for path in table]
        with progress_bar("training") as progress:
            encoder = pretrain_encoder(
                tables,
                **options,
                seed=seed,
                device=device,
                checkpoint=checkpoint,
                resume=resume,
                progress=progress,
            )
        encoder.save(out)
        checkpoint.unlink(missing_ok=True)
        write_run(out, "train encoder", {"table": table, **options, "seed": seed}, table)
        reasons = [reason for rows in tables for reason in reasons_in(rows)]
        closing = closing_line(reasons, sum(map(len, tables)), "window")
        print_result(f"{out}\n{closing}", as_json, {"out": str(out)})


@train.command("pulse")
def train_pulse(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write. Default: the name of the network."),
    ] = None,
    network: Annotated[
        str,
        typer.Option(
            help="Architecture, such as physnet, cnn3d, cnn3d_dilated, cnn2d_rnn, cnn2d_lstm, "
            "cnn2d_bilstm or cnn2d_convlstm."
        ),
    ] = "physnet",
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Data set with videos and contact pulse to train on, with --root. Default: "
            "synthetic clips.",
        ),
    ] = None,
    root: Root = None,
    steps: Annotated[int, typer.Option(min=1, help="Number of training steps.")] = 1000,
    batch_size: Annotated[int, typer.Option(min=1, help="Number of clips in a step.")] = 4,
    size: Annotated[
        int, typer.Option(min=16, help="Width and height of the face crops, in pixels.")
    ] = 36,
    frames: Annotated[
        int, typer.Option(min=16, help="Length of the clips, in frames (30 a second).")
    ] = 128,
    normalisation: Annotated[
        str,
        typer.Option(
            help="Normalisation of the input: raw, standardised, channel_standardised, "
            "diff_normalised, temporal or diff_batchnorm."
        ),
    ] = "temporal",
    learning_rate: Annotated[
        float, typer.Option(help="Highest learning rate of the one-cycle schedule (Adam).")
    ] = 3e-3,
    loss: Annotated[
        str,
        typer.Option(
            help="Loss, such as pearson, slopes, frequency or lag_tolerant; + joins several."
        ),
    ] = "pearson",
    varied: Annotated[
        float,
        typer.Option(
            help="Share (0–1) of the synthetic clips with motion, changing light and compression."
        ),
    ] = 0.75,
    rendered: Annotated[
        float,
        typer.Option(
            help="Share (0–1) of the synthetic clips with rendered heads; --varied then is a share "
            "of the rest."
        ),
    ] = 0.0,
    donors: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="VIDEO",
            help="Face video without labels whose own pulse is replaced by a drawn one; give the "
            "option once for each video.",
        ),
    ] = None,
    donor_share: Annotated[
        float, typer.Option(help="Share (0–1) of the synthetic clips from donors.")
    ] = 0.5,
    pulseless: Annotated[
        float,
        typer.Option(
            help="Share (0–1) of the clips of rendered heads without any pulse, on which every "
            "spectral peak is penalised."
        ),
    ] = 0.0,
    close_ups: Annotated[
        float,
        typer.Option(
            help="Share (0–1) of the synthetic clips in which skin or the face fills the frame, as "
            "with --region full."
        ),
    ] = 0.0,
    validation: Annotated[
        float,
        typer.Option(
            help="Share of the people held out for validation and early stopping, 0 to below 1."
        ),
    ] = 0.0,
    patience: Annotated[
        int,
        typer.Option(min=1, help="Stop after this many validations without a lower loss."),
    ] = 10,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|bundled",
            help="Trained weights of the same network to start from. Default: random weights.",
        ),
    ] = None,
    loaders: Annotated[
        int, typer.Option(min=0, help="Processes that prepare clips; 0: the training process.")
    ] = 0,
    devices: Annotated[
        int, typer.Option(min=1, help="Number of devices that share the clips of each step.")
    ] = 1,
    precision: Annotated[
        str, typer.Option(help="Floating-point precision: 32-true, bf16-mixed or 16-mixed.")
    ] = "32-true",
    resume: Resume = False,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="Folder for an event file for TensorBoard (extra curves)."),
    ] = None,
    cache: CacheFolder = None,
    seed: Seed = 0,
    device: TrainDevice = "auto",
    as_json: Json = False,
) -> None:
    """Train a pulse network on a data set with videos and contact pulse, or on synthetic clips.

    Example: emotion-rppg train pulse --out physnet --steps 500 --size 16
    """
    with user_errors():
        from emotion_rppg.features.trust import closing_line
        from emotion_rppg.pulse.training.donors import read_donors
        from emotion_rppg.pulse.training.tensorboard import check_events
        from emotion_rppg.pulse.training.train import (
            TrainingConfig,
            check_network,
            initial_network,
            sources,
        )
        from emotion_rppg.pulse.training.train import train as run_training
        from emotion_rppg.runtime.atomic_files import check_folder
        from emotion_rppg.runtime.cache import Cache, chosen_folder
        from emotion_rppg.runtime.model_folders import read_config
        from emotion_rppg.runtime.provenance import write_run

        recipe = TrainingConfig(
            network=network,
            normalisation=normalisation,
            size=size,
            frames=frames,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            loss=loss,
            varied=varied,
            rendered=rendered,
            donors=donor_share if donors else 0.0,
            pulseless=pulseless,
            close_ups=close_ups,
            validation=validation,
            patience=patience,
            seed=seed,
        )
        if donors and dataset is not None:
            raise InputError(
                f"--donors and --dataset {dataset}: donors replace the faces of synthetic clips; "
                "leave one of the two out"
            )
        out = Path(network) if out is None else out
        check_folder(out)  # before faces are tracked in all videos, which can take hours
        check_network(recipe)
        start = None if init is None else initial_network(init, recipe)
        if tensorboard is not None:
            check_events(tensorboard, out)
        recordings = None if dataset is None else find_recordings([], dataset, root)
        folder = chosen_folder(cache)
        source = sources(
            recordings,
            recipe,
            cache=None if folder is None else Cache(folder),
            donors=read_donors(donors, rate_hz=recipe.rate_hz, frames=frames) if donors else (),
        )
        with progress_bar("training") as progress:
            run_training(
                source.clips,
                out,
                recipe=recipe,
                validation=source.validation,
                trained_on=source.people,
                init=start,
                device=device,
                devices=devices,
                precision=precision,
                loaders=loaders,
                resume=resume,
                tensorboard=tensorboard,
                progress=progress,
            )
        arguments = {"dataset": dataset, "root": root, "init": init, "recipe": vars(recipe)}
        write_run(out, "train pulse", arguments, [path for path in (root, start) if path])
        trained = read_config(out)["training"]
        skipped = ["gradients that are not finite"] * int(trained.get("skipped_steps", 0))
        closing = closing_line(skipped, int(trained["steps"]), "training step")
        print_result(f"{out}\n{closing}", as_json, {"out": str(out)})


@app.command()
def convert(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Public PhysNet checkpoint: a PyTorch state dict (.pth, .safetensors), the Keras "
            "weights of open-rppg (.weights.h5, extra files), or one of these on the Hugging Face "
            "hub, hub:OWNER/REPO@REVISION/FILE (extra hub), with --sha256.",
        ),
    ],
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder to write.")],
    trained_on: Annotated[
        list[str],
        typer.Option(
            metavar="SET:ID,ID…|unknown",
            help="People in its training data, whom `evaluate` then refuses to test (repeatable).",
        ),
    ],
    size: Annotated[
        int | None,
        typer.Option(
            help="Width and height of the face crops in its training, in pixels. Default: 72, for "
            "Keras weights 32."
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(help="Frame rate of its training, in frames a second.")
    ] = 30.0,
    normalisation: Annotated[
        str | None,
        typer.Option(
            help="Normalisation of its input: raw, standardised, channel_standardised, "
            "diff_normalised, temporal or diff_batchnorm. Default: channel_standardised for Keras "
            "weights, diff_batchnorm if the checkpoint has it, else diff_normalised."
        ),
    ] = None,
    crop_width: Annotated[
        float | None,
        typer.Option(
            help="Width of the face crops in its training, in widths of the face. Default: 1.65, "
            "for Keras weights 1.05."
        ),
    ] = None,
    check: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="VIDEO",
            help="Real video of a still face to measure polarity and lag on, by comparison with "
            "POS (repeatable). Default: synthetic clips, on which networks trained on real people "
            "may be poor.",
        ),
    ] = None,
    no_check: Annotated[
        bool,
        typer.Option(
            "--no-check", help="Measure nothing; assume polarity +1, no lag and the usual output."
        ),
    ] = False,
    sha256: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="SHA-256 that the checkpoint must have; required for a file of the hub.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn a public PhysNet checkpoint into a model folder; measure its polarity and lag.

    Example: emotion-rppg convert UBFC_PhysNet.pth physnet --trained-on unknown --check me.mp4
    """
    with user_errors():
        from emotion_rppg.features.trust import closing_line
        from emotion_rppg.pulse.convert import convert as convert_checkpoint
        from emotion_rppg.runtime.hub import is_address
        from emotion_rppg.runtime.model_folders import read_config
        from emotion_rppg.runtime.provenance import write_run

        if check and no_check:
            raise InputError(f"{len(check)} videos to check and --no-check: give one or the other")
        options: dict[str, Any] = {"size": size, "rate_hz": rate, "normalisation": normalisation}
        options |= {"crop_width": crop_width, "sha256": sha256}
        with progress_bar("measuring"):
            measured = convert_checkpoint(
                checkpoint,
                model,
                trained_on=trained_on,
                check=None if no_check else check or [],
                **options,
            )
        arguments = {"checkpoint": checkpoint, "trained_on": trained_on, **options}
        arguments |= {"check": check, "no_check": no_check}
        local = [] if is_address(checkpoint) else [Path(checkpoint)]
        write_run(model, "convert", arguments, [*local, *(check or [])])
        source = read_config(model)["source"]
        text = _measured_text(measured)
        text += f"\nlicence: {source['licence']}" if "licence" in source else ""
        unused = ["no reference pulse"] * (measured.clips - measured.used)
        closing = closing_line(unused, measured.clips, "clip")
        print_result(
            f"{text}\n{model}\n{closing}",
            as_json,
            {**measured._asdict(), **source, "out": str(model)},
        )


def _measured_text(measured: Measured) -> str:
    """Format output, polarity and lag of a converted network, and how they were measured."""
    text = f"polarity {measured.polarity:+d} · lag {measured.lag_s:+.3f} s"
    text += f" · output: {measured.output}" + (" (assumed)" if measured.assumed else "")
    if measured.median_r is None:
        return f"{text} · {measured.on}"
    compared = f"{measured.used} of {measured.clips} {measured.on}"
    return f"{text} · median |r| with POS {measured.median_r:.2f} on {compared}"

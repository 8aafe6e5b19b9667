"""Predict extracts features with the options of the training table, for every field and file."""

import inspect
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import Extraction, extract, extraction_of, fit, load, predict
from emotion_rppg.datasets.folder import Folder
from emotion_rppg.datasets.synthetic import write_study
from emotion_rppg.emotion.model import BUNDLED, Model
from emotion_rppg.errors import InputError
from emotion_rppg.features import FAMILIES
from emotion_rppg.features.beats.edits import Edit
from emotion_rppg.features.trust import beats_of
from emotion_rppg.pulse.inference.trained_network import BUNDLED as NETWORK_FOLDERS
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.provenance import identity
from emotion_rppg.runtime.tables import (
    extraction_beside,
    read_table,
    read_tables,
    write_partitioned,
    write_table,
)
from emotion_rppg.signals import Signal
from emotion_rppg.study import Reading, as_recordings, pretrain_encoder, read_all_like, read_like
from emotion_rppg.study.beats_file import (
    BeatsFile,
    WaveEdits,
    WaveIdentity,
    beats_path,
    write_beats_file,
)
from emotion_rppg.synthesis.cameras import Camera, film, write_video
from emotion_rppg.synthesis.faces import face
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import FACE, blood, bvp

FIELDS = tuple(field.name for field in fields(Extraction))
SHORT = {"length_s": 20.0, "step_s": 10.0}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Two people, two trials, BVP, ECG and EDA in one file each."""
    folder = tmp_path_factory.mktemp("extraction") / "study"
    write_study(folder, people=2, trials=2, duration_s=60.0, video=False)
    for k, path in enumerate(sorted((folder / "signals").glob("*.csv"))):
        signals = pd.read_csv(path)
        eda = 2 + k / 3 + 0.2 * np.sin(signals["time_s"] / 9)
        signals.assign(eda=eda.round(6)).to_csv(path, index=False)
        events = "onset,trial_type\n11,film\n19,question\n27,film\n"
        path.with_name(f"{path.stem}_events.csv").write_text(events)
    return folder


@pytest.fixture(scope="module")
def table(study) -> pd.DataFrame:
    return extract(study, **SHORT)


@pytest.fixture(scope="module")
def two_faces(tmp_path_factory) -> Path:
    """24 s of two faces with different hearts beside each other, the larger one on the left."""
    rate_hz, shown, camera = 30.0, [], Camera(motion_px=0.2, light=0, noise=1)
    for seed, size, arousal in ((3, 160, 2.0), (4, 112, 8.0)):
        wave = blood(heart(Person(seed), arousal, 5, 24.0), FACE, rate_hz=rate_hz)
        samples = (wave.samples - wave.samples.mean()) / wave.samples.std()
        shown.append(film(face(0.2, size=size), samples, rate_hz, camera))
    room = ((24, 24), (24, 24), (0, 0))
    pairs = zip(*shown, strict=True)
    frames = (np.hstack([a, np.pad(b, room, constant_values=90)]) for a, b in pairs)
    return write_video(tmp_path_factory.mktemp("video") / "two.mp4", frames, rate_hz)


@pytest.fixture(scope="module")
def two_fingers(tmp_path_factory) -> Path:
    """One signal file with the pulses of two people."""
    path = tmp_path_factory.mktemp("channels") / "fingers.csv"
    waves = [bvp(heart(Person(seed), a, 5, 60.0), rate_hz=64.0) for seed, a in ((3, 2.0), (4, 8.0))]
    columns = {"time_s": waves[0].times_s, "ppg_a": waves[0].samples, "ppg_b": waves[1].samples}
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def encoder(table, tmp_path_factory) -> Path:
    made = pretrain_encoder([table], hidden=3, epochs=1)
    return made.save(tmp_path_factory.mktemp("encoder") / "enc")


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("network") / "mine"
    return Path(shutil.copytree(NETWORK_FOLDERS["physnet"], folder))


@pytest.fixture(scope="module")
def corrected(tmp_path_factory) -> Path:
    """One signal file, ten beats of which a person deleted."""
    path = tmp_path_factory.mktemp("corrected") / "finger.csv"
    wave = bvp(heart(Person(3), 5, 5, 60.0), rate_hz=64.0)
    pd.DataFrame({"time_s": wave.times_s, "bvp": wave.samples}).to_csv(path, index=False)
    (recording,) = as_recordings(path)
    at = beats_of(recording.read_pulse("bvp")).times_s
    edits = tuple(Edit("delete", float(t), who="AB") for t in at[5:55:5])
    identified = WaveIdentity.of(recording, Reading())
    wave_edits = WaveEdits(identified, 64.0, None, at, edits)
    write_beats_file(beats_path(path), BeatsFile(identity(path), (wave_edits,)))
    return path


def fitted(table: pd.DataFrame, **how: Any) -> Model:
    labels = pd.Series(np.arange(len(table), dtype=float) % 3, table.index)
    if "hr_bpm_vs_baseline" in table:  # only rows that are compared with a baseline have labels
        labels = labels.where(table["hr_bpm_vs_baseline"].notna())
    rows = table.assign(label_state=labels)
    return fit(rows, target="state", head="ridge", coding="as_is", probabilities="own", **how)


# Field: the input (a fixture) and the options. Each case sets its field to a value other than the
# default, with which the features differ.
LEFT = {"length_s": 10.0, "step_s": 4.0, "min_quality": 0.0, "region": "40,30,80,100"}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "method": ("two_faces", {**LEFT, "method": "green"}),
    "source": ("study", {**SHORT, "source": "ecg"}),
    "weights": ("two_faces", {**LEFT, "method": "physnet", "weights": "network"}),
    "region": ("two_faces", {**LEFT, "region": "212,45,56,70"}),
    "face": ("two_faces", {**LEFT, "region": "face", "face": 2}),
    "channel": ("two_fingers", {**SHORT, "channel": "ppg_b"}),
    "length_s": ("study", {**SHORT, "length_s": 25.0}),
    "step_s": ("study", {**SHORT, "step_s": 7.0}),
    "families": ("study", {**SHORT, "families": ("hrv", "morphology", "eda")}),
    "baseline": ("study", {**SHORT, "baseline": 30.0}),
    "encoder": ("study", {**SHORT, "encoder": "encoder"}),
    "min_quality": ("study", {**SHORT, "min_quality": 0.9}),
    "events": ("study", {"events": ("film", "question")}),
    "before_s": ("study", {"events": "film", "before_s": 5.0}),
    "after_s": ("study", {"events": "film", "after_s": 15.0}),
    "edits": ("corrected", {**SHORT, "edits": False}),
}


def test_every_field_has_a_case() -> None:
    assert tuple(CASES) == FIELDS


@pytest.mark.slow
@pytest.mark.parametrize("name", FIELDS)
def test_predict_extracts_as_the_training_did(name, request, tmp_path) -> None:
    given, how = CASES[name]
    path = request.getfixturevalue(given)
    if name in ("weights", "encoder"):
        how = {**how, name: request.getfixturevalue("network" if name == "weights" else name)}
    table = extract(path, **how)
    if name == "min_quality":  # half of the windows are below it
        how = {**how, name: float(table["quality"].median())}
        table = extract(path, **how)
    fitted(table).save(tmp_path / "m")
    model = load(tmp_path / "m")
    assert model.extraction == extraction_of(table)
    expected = model.predict(table)
    assert expected["state"].notna().any()
    assert name != "families" or set(model.kinds) == {"pulse", "eda"}
    pd.testing.assert_frame_equal(predict(path, model), expected)
    try:  # without this field the features differ or cannot be extracted
        without_field = predict(path, with_default(model, name))
    except InputError:
        return
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(without_field, expected)


def with_default(model: Model, name: str) -> Model:
    made_from = {**model.made_from, "source": "bvp"} if name == "source" else model.made_from
    how = replace(model.extraction, **{name: getattr(Extraction(), name)})
    encoder = None if name == "encoder" else model.encoder
    return replace(model, extraction=how, made_from=made_from, encoder=encoder)


@pytest.mark.slow
def test_a_baseline_trial_is_taken_from_the_recordings(study, tmp_path) -> None:
    table = extract(study, **SHORT, baseline="1")
    fitted(table).save(tmp_path / "m")
    model = load(tmp_path / "m")
    assert any(name.endswith("_vs_baseline") for name in model.names)
    pd.testing.assert_frame_equal(predict(study, model), model.predict(table))
    (alone,) = [r for r in Folder(study) if r.subject == "1" and r.trial == "2"]
    with pytest.raises(InputError, match="compares each person with the trial '1'"):
        read_like(model, alone)


# ---- the value -----------------------------------------------------------------------------------


def test_an_extraction_survives_its_dictionary() -> None:
    one = Extraction(method="chrom", families=["HRV"], face=2, baseline="rest", min_quality=0)
    assert Extraction.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    assert one.families == ("hrv",)
    assert Extraction(weights=Path("a/b"), length_s=np.int64(30)).to_dict()["length_s"] == 30.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"colour": 1}, "unknown field 'colour'"),
        ({"length_s": "long", "families": [1]}, "length_s is 'long'; families is"),
        ({"method": {"run": "me"}}, "method is"),
        ([], "JSON object"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused(content, message) -> None:
    with pytest.raises(InputError, match=message):
        Extraction.from_dict(content)


def test_the_signature_of_extract_shows_every_field() -> None:
    parameters = inspect.signature(extract).parameters
    assert {"extraction", *FIELDS} <= set(parameters)
    usual = Extraction()
    assert {name: parameters[name].default for name in FIELDS} == vars(usual)


def test_keywords_replace_fields_of_a_given_extraction(study) -> None:
    how = Extraction(source="ecg", **SHORT)
    table = extract(study, how, step_s=30.0)  # an explicit keyword wins, although it is the default
    assert extraction_of(table) == replace(how, step_s=30.0)
    assert set(table["source"]) == {"ecg"}
    with pytest.raises(InputError, match="extraction is an Extraction, got str"):
        extract(study, "pos")


def plain_green(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    return -rgb[:, 1]


def test_a_method_that_is_a_function_is_not_replayed(two_faces, tmp_path) -> None:
    table = extract(two_faces, method=plain_green, **LEFT)
    model = fitted(table)
    model.save(tmp_path / "m")
    for same in (model, load(tmp_path / "m")):
        with pytest.raises(InputError, match=r"'plain_green'.*only the name is stored"):
            predict(two_faces, same)


# ---- in memory and on disk -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "name"),
    [(write_table, "t.csv"), (write_table, "t.parquet"), (write_partitioned, "p.parquet")],
)
def test_a_file_preserves_the_extraction(study, tmp_path, write, name) -> None:
    table = extract(study, source="ecg", **SHORT)
    back = read_table(write(table, tmp_path / name))
    assert extraction_of(back) == extraction_of(table)
    assert extraction_of(read_tables([tmp_path / name])) == extraction_of(table)
    model = fitted(back)
    pd.testing.assert_frame_equal(predict(study, model), model.predict(table))


def test_a_csv_never_has_the_record_of_another_table(table, tmp_path) -> None:
    path = write_table(table, tmp_path / "t.csv")
    assert extraction_beside(path).name == "t.extraction.json"
    other = table.copy()
    other.attrs = {}
    assert extraction_of(read_table(write_table(other, path))) is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["t.csv", "t.sequences.parquet"]


def test_a_damaged_record_is_refused_with_its_file(table, tmp_path) -> None:
    path = write_table(table, tmp_path / "t.csv")
    for text in ("{", '{"extraction": {"length_s": "x"}}', "[]"):
        extraction_beside(path).write_text(text)
        with pytest.raises(InputError, match=r"t\.extraction\.json of how .* is damaged"):
            read_table(path)


def test_predictions_are_no_feature_table(table, tmp_path) -> None:
    write_table(predict(table, fitted(table)), tmp_path / "prediction.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["prediction.csv"]


def test_operations_of_pandas_preserve_the_extraction(table) -> None:
    for same in (table.query("subject == '1'"), table.assign(x=1), table.reset_index(drop=True)):
        assert extraction_of(same) == extraction_of(table)


@pytest.mark.slow
def test_a_model_contains_the_encoder_of_the_extraction(study, encoder, tmp_path) -> None:
    elsewhere = Path(shutil.copytree(encoder, tmp_path / "moved"))
    table = extract(study, encoder=elsewhere, **SHORT)
    fitted(table).save(tmp_path / "m")
    shutil.rmtree(elsewhere)
    model = load(tmp_path / "m")
    pd.testing.assert_frame_equal(predict(study, model), model.predict(table))
    with pytest.raises(InputError, match="does not contain their encoder"):
        predict(study, fitted(table))


@pytest.mark.slow
def test_the_network_may_be_moved(two_faces, network, tmp_path) -> None:
    place = tmp_path / "net"
    for given in ({"method": "physnet", "weights": place}, {"method": place}):
        shutil.copytree(network, place)
        table = extract(two_faces, **{**LEFT, **given})
        model = fitted(table)
        shutil.move(place, tmp_path / "away")
        with pytest.raises(InputError, match="give its folder as weights"):
            predict(two_faces, model)
        found = predict(two_faces, model, weights=tmp_path / "away")
        pd.testing.assert_frame_equal(found, model.predict(table))
        shutil.rmtree(tmp_path / "away")


# ---- tables of different extractions -------------------------------------------------------------


def joined(parts: list[pd.DataFrame], folder: Path) -> pd.DataFrame:
    paths = [folder / f"{k}.parquet" for k in range(len(parts))]
    for k, (part, path) in enumerate(zip(parts, paths, strict=True)):
        write_table(part.assign(dataset=f"set{k}"), path)
    return read_tables(paths)


def test_tables_of_one_extraction_join_to_one(table, tmp_path) -> None:
    assert extraction_of(joined([table, table], tmp_path)) == extraction_of(table)
    assert extraction_of(pd.concat([table, table])) == extraction_of(table)


@pytest.mark.slow
def test_fit_refuses_tables_of_different_extractions(study, table, tmp_path) -> None:
    other = extract(study, source="ecg", length_s=30.0, step_s=10.0)
    both = joined([table, other], tmp_path)
    with pytest.raises(InputError, match=r"source: 'auto', 'ecg'; length_s: 20\.0, 30\.0"):
        fitted(both)
    assert fitted(both, extraction=extraction_of(other)).extraction.source == "ecg"
    write_table(both, tmp_path / "both.csv")
    with pytest.raises(InputError, match="source: 'auto', 'ecg'"):
        extraction_of(read_table(tmp_path / "both.csv"))


def test_differences_without_effect_are_only_warned_of(study, table, tmp_path, caplog) -> None:
    other = extract(study, method="green", region="full", **SHORT)  # of contact pulses
    with caplog.at_level(logging.WARNING):
        assert fitted(joined([table, other], tmp_path)).extraction == extraction_of(table)
    assert "method" in caplog.text
    assert "region" in caplog.text


# ---- signals of new recordings -------------------------------------------------------------------


@pytest.fixture(scope="module")
def pulses() -> Callable[[int], dict[str, Signal]]:
    def signals(seed: int) -> dict[str, Signal]:
        camera, finger = (heart(Person(seed + k), 5, 5, 60.0) for k in (0, 50))
        return {
            "rppg": replace(bvp(camera, rate_hz=30.0), kind="rppg"),
            "bvp": bvp(finger, rate_hz=30.0),
        }

    return signals


@pytest.mark.slow
def test_the_signal_kind_of_the_training_is_read_if_available(pulses) -> None:
    both = [Recording("d", str(k), signals=pulses(k)) for k in (1, 2)]
    training = [replace(r, signals={"bvp": r.signals["bvp"]}) for r in both]
    model = fitted(extract(training, **SHORT))
    rows, _ = read_all_like(model, both)
    assert set(rows["source"]) == {"bvp"}
    camera = [replace(r, signals={"rppg": r.signals["rppg"]}) for r in both]
    assert set(read_all_like(model, camera)[0]["source"]) == {"rppg"}  # with a warning of `shift`
    chosen = fitted(extract(training, source="bvp", **SHORT))
    with pytest.raises(
        InputError, match="has no bvp, which the model was trained on; it has: rppg"
    ):
        read_all_like(chosen, camera)


def test_a_region_other_than_that_of_the_training_is_refused(two_faces, study, table) -> None:
    with pytest.raises(InputError, match="trained on the region 'face', got 'full'"):
        predict(study, fitted(table), region="full")


# ---- old tables, old models ----------------------------------------------------------------------


def test_a_table_without_its_extraction_makes_a_model_for_tables(study, table, caplog) -> None:
    old = table.copy()
    old.attrs = {}
    with caplog.at_level(logging.WARNING):
        model = fitted(old)
    assert "does not record how it was extracted" in caplog.text
    assert model.extraction is None
    assert "Extraction: not recorded" in model.card()
    pd.testing.assert_frame_equal(predict(table, model), model.predict(table))
    with pytest.raises(InputError, match="does not record how its training table was extracted"):
        predict(study, model)


@pytest.mark.parametrize(
    "old",
    [{}, {"extraction": None}, {"extraction": Extraction().to_dict(), "extraction_known": False}],
    ids=["without", "none", "guessed"],
)
def test_an_old_model_predicts_from_tables_alone(study, table, tmp_path, old) -> None:
    model = fitted(table)
    model.save(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    del config["extraction"]
    (tmp_path / "m" / "config.json").write_text(json.dumps(config | old))
    loaded = load(tmp_path / "m")
    pd.testing.assert_frame_equal(loaded.predict(table), model.predict(table))
    with pytest.raises(InputError, match="does not record how its training table was extracted"):
        predict(study, loaded)


@pytest.mark.slow
def test_the_bundled_model_extracts_as_its_training_did(study, tmp_path) -> None:
    assert set(BUNDLED) == {"stress"}
    model = replace(load("stress"), ranges=None)  # a synthetic finger is outside of its ranges
    assert model.extraction is not None
    assert model.extraction.length_s == model.made_from["length_s"]
    of_families = {c for name in model.extraction.families for c in FAMILIES[name].columns}
    assert set(model.names) <= of_families
    file, rest = tmp_path / "wrist.csv", tmp_path / "rest.csv"
    for path, arousal in ((file, 8.0), (rest, 2.0)):
        wave = bvp(heart(Person(3), arousal, 5, 150.0), rate_hz=64.0)
        pd.DataFrame({"time_s": wave.times_s, "bvp": wave.samples}).to_csv(path, index=False)
    table = extract(file, model.extraction)
    expected = model.predict(table, rest=extract(rest, model.extraction))
    assert len(expected) == 4  # windows of 60 s, one every 30 s
    assert set(expected["stress"]) <= {"low", "high"}
    pd.testing.assert_frame_equal(predict(file, model, calibrate=rest), expected)

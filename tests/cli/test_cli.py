"""The verbs: exit codes, one plain sentence for bad input, JSON on the last line."""

import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.cli.console import progress_bar
from emotion_rppg.datasets.synthetic import write_study
from emotion_rppg.emotion import HEADS, HEADS_REGRESSION
from emotion_rppg.emotion.tasks import CODINGS
from emotion_rppg.evaluation import SPLITS
from emotion_rppg.evaluation.normalisation import NORMALISE
from emotion_rppg.features import FAMILIES
from emotion_rppg.features.sensors import SENSORS
from emotion_rppg.pulse import METHODS, NETWORKS
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.training.losses import LOSSES
from emotion_rppg.runtime.tables import read_table
from tests.datasets.fakes import FAKES

CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"
VERBS = (
    "demo",
    "doctor",
    "init",
    "inspect",
    "datasets",
    "pulse",
    "features",
    "train",
    "evaluate",
    "predict",
    "live",
    "record",
    "convert",
    "export",
    "cache",
)


NAMES = {  # tables of the names that the help of an option shows
    "--method": {*METHODS, *NETWORKS},
    "--families": FAMILIES,
    "--split": SPLITS,
    "--normalise": NORMALISE,
    "--heads": HEADS,
    "--head": {*HEADS, *HEADS_REGRESSION},
    "--network": NETWORKS,
    "--loss": LOSSES,
    "--normalisation": NORMALISATIONS,
    "--coding": CODINGS,
}


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object) -> str:
    """Run a verb that must refuse its input; return its one sentence (exit 2, no traceback)."""
    result = run(*words)
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    assert "Traceback" not in result.output
    sentence = [line for line in result.stderr.splitlines() if line.startswith("emotion-rppg: ")]
    assert len(sentence) == 1, result.stderr
    return sentence[0]


def each_verb(group=app, before=()):
    for command in group.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        yield (*before, name)
    for inner in group.registered_groups:
        yield from each_verb(inner.typer_instance, (*before, inner.name))


def test_the_verbs_are_those_of_the_contract() -> None:
    assert {words[0] for words in each_verb()} >= set(VERBS)


@pytest.mark.parametrize("words", list(each_verb()), ids=" ".join)
def test_each_verb_explains_itself_with_an_example(words) -> None:
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output
    assert f"Example: emotion-rppg {' '.join(words)}" in " ".join(result.output.split())


def options_of(words):
    """Options and arguments of a verb that its help shows."""
    command = get_command(app)
    for word in words:
        command = command.commands[word]
    return [option for option in command.params if not getattr(option, "hidden", False)]


@pytest.mark.parametrize("words", list(each_verb()), ids=" ".join)
def test_each_option_has_a_help_text_and_states_its_default(words) -> None:
    for option in options_of(words):
        text = option.help or ""
        assert len(text.split()) > 1, option.name
        assert text.rstrip().endswith((".", "…")), option.name
        flag = getattr(option, "is_flag", False)
        if not flag and not option.required and option.default not in (None, "", []):
            assert option.show_default, option.name


def names_in_help(text: str) -> set[str]:
    """Names that a help text lists, after "such as" or a colon, without the explanations."""
    plain = re.sub(r" \([^)]*\)", "", text)
    listed = plain.partition("such as ")[2] or plain.partition(": ")[2]
    clause = re.split(r"[;.](?: |$)", listed)[0]
    return set(re.split(r", | or ", clause))


def test_the_help_of_features_lists_every_family_with_its_signal() -> None:
    (option,) = (o for o in options_of(["features"]) if "--families" in o.opts)
    listed = names_in_help(option.help)
    assert listed == set(FAMILIES)
    for sensor in SENSORS.values():
        assert f"(from {sensor.name})" in option.help


@pytest.mark.parametrize("words", list(each_verb()), ids=" ".join)
def test_a_name_that_a_help_text_lists_is_a_name_of_its_table(words) -> None:
    for option in options_of(words):
        for name in set(option.opts) & set(NAMES):
            listed = names_in_help(option.help)
            assert listed <= set(NAMES[name]), (name, listed - set(NAMES[name]))
            assert len(listed) > 1, (name, option.help)


def test_the_earlier_name_of_target_is_accepted_and_not_shown(tmp_path) -> None:
    table = ("--table", tmp_path / "no.csv", "--out", tmp_path / "e")
    assert "no target" in refused("evaluate", *table)
    assert "no table" in refused("evaluate", *table, "--task", "arousal")
    assert "--task" not in run("evaluate", "--help").output


@pytest.mark.slow
def test_pulse_writes_a_wave_and_one_json_line(tmp_path) -> None:
    out = tmp_path / "wave.csv"
    result = run("pulse", CLIP, "--method", "pos", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout.splitlines()[-1])
    assert set(printed) >= {"hr_bpm", "quality", "face_coverage", "rate_hz", "duration_s", "method"}
    assert printed["face_coverage"] == 1.0
    assert printed["hr_by"] == (None if printed["hr_bpm"] is None else "beats")
    assert out.read_text().startswith("time_s,rppg,quality\n")
    assert json.loads((tmp_path / "run.json").read_text())["inputs"][0]["file"] == CLIP.name


def test_pulse_writes_the_heart_rate_over_time(tmp_path) -> None:
    wave, rates = write_pulse(tmp_path / "wave.csv", 66.0), tmp_path / "rates.csv"
    done = run("pulse", wave, "--rates", rates)
    assert done.exit_code == 0, done.output
    table = read_table(rates)
    assert list(table) == ["time_s", "hr_bpm", "quality"]
    assert len(table) == pytest.approx(60, abs=2)  # from the middle of the first window to the last
    assert table["hr_bpm"].to_numpy() == pytest.approx(66, abs=0.5)
    assert f"{len(table)} of {len(table)} seconds trusted" in done.stdout
    assert (tmp_path / "run.json").exists()
    assert "rates.txt" in refused("pulse", wave, "--rates", tmp_path / "rates.txt")


def test_bad_input_is_one_sentence_and_exit_2(tmp_path) -> None:
    text = tmp_path / "words.mp4"
    text.write_text("not a video")
    (tmp_path / "empty").mkdir()
    assert "missing.mp4" in refused("pulse", tmp_path / "missing.mp4", "--method", "pos")
    assert "words.mp4" in refused("pulse", text, "--method", "pos")
    assert "poz" in refused("pulse", CLIP, "--method", "poz")
    assert "empty" in refused("features", tmp_path / "empty", "--out", tmp_path / "t.csv")
    assert ".xlsx" in refused("features", CLIP, "--out", tmp_path / "t.xlsx")
    assert "--root" in refused("features", "--dataset", "folder", "--out", tmp_path / "t.csv")
    assert "unknown data set" in refused("datasets", "deep")
    assert "no table" in refused(
        "evaluate", "--table", tmp_path / "no.csv", "--target", "arousal", "--out", tmp_path / "e"
    )
    assert "config.json" in refused(
        "predict", CLIP, "--model", tmp_path / "empty", "--out", tmp_path / "p"
    )
    assert not list(tmp_path.glob("t.*"))


def test_a_network_without_weights_is_refused_with_the_options_to_give() -> None:
    message = refused("pulse", CLIP, "--method", "cnn3d")
    assert "--weights" in message
    assert "`emotion-rppg train pulse --network cnn3d` makes one" in message


@pytest.mark.parametrize(("terminal", "shown"), [(True, "30/300"), (False, "")])
def test_a_progress_bar_is_drawn_on_a_terminal_only(
    monkeypatch, terminal: bool, shown: str
) -> None:
    err = io.StringIO()
    monkeypatch.setattr(err, "isatty", lambda: terminal)
    monkeypatch.setattr("sys.stderr", err)
    with progress_bar("reading") as bar:
        bar(30, 300)
    assert shown in err.getvalue()
    assert terminal or not err.getvalue()


def test_a_log_file_gets_a_line_of_progress(monkeypatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setattr("emotion_rppg.cli.console.LINE_EVERY_S", 0.01)
    with progress_bar("reading") as bar:
        bar(30, 300)
        for _ in range(1000):
            if "30 of 300" in err.getvalue():
                break
            time.sleep(0.01)
    first = err.getvalue()
    assert "emotion-rppg: reading: 30 of 300, 0.0 min so far\n" in first
    time.sleep(0.05)
    assert err.getvalue() == first  # the lines end with the work


def test_a_verb_starts_and_ends_without_long_garbage_collections() -> None:
    code = (
        "import atexit, gc, sys; sys.argv = ['emotion-rppg', '--help']\n"
        "atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count()))\n"
        "from emotion_rppg.cli import main; main()"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    threshold, frozen = map(int, printed.stdout.splitlines()[-1].split())
    assert threshold > 10_000
    assert frozen > 1000


@pytest.mark.slow
def test_one_bad_file_does_not_stop_the_others(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.mp4").write_bytes(CLIP.read_bytes())
    (tmp_path / "in" / "bad.mp4").write_text("not a video")
    out = tmp_path / "t.csv"
    result = run("features", tmp_path / "in", "--whole", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout.splitlines()[-1])
    assert printed["rows"] == 1
    assert "bad" in printed["failures"][0]["recording"]
    assert (tmp_path / "t.columns.md").read_text().count("\n| ") > 30


@pytest.mark.slow
def test_waves_written_as_bids_give_the_same_table(tmp_path) -> None:
    write_study(tmp_path / "s", people=2, trials=2, duration_s=30.0, video=False)
    bids, tables = tmp_path / "bids", [tmp_path / "a.csv", tmp_path / "b.csv"]
    words = ("features", tmp_path / "s", "--whole", "--out", tables[0], "--bids", bids)
    assert run(*words).exit_code == 0
    assert run(*words).exit_code == 0  # our own folder is replaced
    again = run("features", bids, "--whole", "--out", tables[1])
    assert again.exit_code == 0, again.output
    first, second = (read_table(path) for path in tables)
    for name in ("dataset", "subject", "session", "trial", "source"):
        assert sorted(first[name]) == sorted(second[name])
    by = ["subject", "trial"]
    rates = [t.sort_values(by)["rmssd_ms"].to_numpy() for t in (first, second)]
    np.testing.assert_allclose(*rates, rtol=1e-5)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x.txt").write_text("x")
    words = ("features", tmp_path / "s", "--out", tables[0], "--bids", tmp_path / "mine")
    assert "not an output" in refused(*words)


def test_two_inputs_of_the_same_name_are_refused(tmp_path) -> None:
    assert "two inputs are called" in refused("features", CLIP, CLIP, "--out", tmp_path / "t.csv")


def test_doctor_checks_libraries_devices_codecs_and_extras() -> None:
    result = run("doctor", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["face detector"]["ok"]
    assert found["video codecs"]["ok"]
    for codec in ("H.264", "HEVC", "MPEG-4", "VP9", "MJPEG"):
        assert codec in found["video codecs"]["found"].partition("; not")[0]
    assert {
        "gpu",
        "camera",
        "this folder",
        "extra: files",
        "extra: lsl",
        "extra: record",
        "ffmpeg",
    } <= set(found)


def test_doctor_says_what_is_missing_and_how_to_get_it(monkeypatch) -> None:
    from emotion_rppg import doctor

    def missing() -> str:
        raise ImportError("libGL.so.1: cannot open shared object file")

    checks = [("python", lambda: "3.11", ""), ("opencv", missing, "apt-get install libgl1")]
    monkeypatch.setattr(doctor, "_REQUIRED", checks)
    printed = run("doctor").stdout
    assert "MISS  opencv" in printed
    assert "→ apt-get install libgl1" in printed
    assert printed.splitlines()[-1] == "missing: opencv"


def test_init_does_not_change_existing_files(tmp_path) -> None:
    assert run("init", tmp_path / "mine").exit_code == 0
    manifest = tmp_path / "mine" / "manifest.csv"
    manifest.write_text(manifest.read_text() + "# mine\n")
    before = manifest.read_text()
    run("init", tmp_path / "mine")
    assert manifest.read_text() == before


def test_datasets_lists_and_describes() -> None:
    assert "synthetic" in run("datasets").output
    listed = json.loads(run("datasets", "--json").stdout)
    assert {card["name"] for card in listed} >= {"folder", "synthetic"}
    assert "scales" in run("datasets", "synthetic").output
    assert "from documents" in run("datasets").output
    assert run("datasets", "wesad", "--cite").stdout.startswith("@inproceedings{schmidt2018wesad,")
    assert "nothing to cite" in refused("datasets", "folder", "--cite")


def test_datasets_checks_a_download(tmp_path) -> None:

    root = FAKES["stress-predict"](tmp_path / "sp")
    found = json.loads(run("datasets", "stress-predict", "--root", root, "--json").stdout)["found"]
    assert (found["people"], found["recordings"], found["views"]) == (
        2,
        4,
        dict.fromkeys(("bvp", "eda", "temp", "acc"), 4),
    )
    assert found["problems"] == ["2 people, the card says 35"]
    shown = run("datasets", "stress-predict", "--root", root).output
    assert "problems: 1" in shown
    assert "stress: 0.0: 2, 1.0: 2" in shown
    wave = "time_s,bvp\n" + "".join(f"{k / 32},{np.sin(k / 5)}\n" for k in range(320))
    for person in ("mine/a", "theirs/b"):
        (tmp_path / person).mkdir(parents=True)
        (tmp_path / person / "w.csv").write_text(wave)
    other = f"folder={tmp_path / 'theirs'}"
    shown = run("datasets", "folder", "--root", tmp_path / "mine", "--other", other).output
    assert "theirs/b has the same bvp as mine/a" in shown
    wrong = run("datasets", "stress-predict", "--root", root, "--other", "wesad")
    assert (wrong.exit_code, "want NAME=DIR" in wrong.output) == (2, True)


@pytest.mark.slow
def test_a_partitioned_table_is_made_again_and_trained_on(tmp_path) -> None:
    write_study(tmp_path / "s", people=3, trials=4, duration_s=60.0, video=False)
    table, model = tmp_path / "t.parquet", tmp_path / "m"
    words = ("features", tmp_path / "s", "--whole", "--out", table)
    assert run(*words, "--partitioned").exit_code == 0
    assert run(*words, "--partitioned").exit_code == 0  # our own folder is replaced
    assert "is a folder" in refused(*words)
    assert len(pd.read_parquet(table)) == len(read_table(table)) == 12
    assert (tmp_path / "t.columns.md").is_file()
    assert json.loads((tmp_path / "run.json").read_text())["output"] == "t.parquet"
    trained = run("train", "emotion", "--table", table, "--target", "arousal", "--out", model)
    assert trained.exit_code == 0, trained.output


@pytest.mark.slow
def test_predict_gives_a_short_video_a_heart_rate_and_the_reason_why_arousal_is_missing(
    tmp_path,
) -> None:
    table = tmp_path / "t.csv"
    write_study(tmp_path / "s", people=3, trials=4, duration_s=60.0, video=False)
    assert run("features", tmp_path / "s", "--out", table).exit_code == 0
    model, out = tmp_path / "m", tmp_path / "p"
    trained = run("train", "emotion", "--table", table, "--target", "arousal", "--out", model)
    assert "synthetic people" in trained.output
    result = run("predict", CLIP, "--model", model, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout.splitlines()[-1])
    assert printed["hr_bpm"] == pytest.approx(72, abs=2)
    assert printed["windows"][0]["arousal"] == ""
    assert "too short" in printed["windows"][0]["reason"]
    assert "synthetic people" in printed["note"]
    made = {path.name for path in out.iterdir()}
    assert made == {"prediction.csv", "wave.csv", "wave.png", "report.html", "run.json"}
    signal = run("predict", tmp_path / "wave.csv", "--model", model, "--out", out)
    assert signal.exit_code == 2  # no such file; the earlier result is still there
    assert (out / "report.html").is_file()
    again = run("predict", out / "wave.csv", "--model", model, "--out", tmp_path / "q")
    assert "too short" in again.output


def write_pulse(path: Path, bpm: float, seconds: float = 70.0) -> Path:
    t = np.arange(int(seconds * 50)) / 50
    wave = 30 * np.sin(2 * np.pi * bpm / 60 * t) + 8 * np.sin(4 * np.pi * bpm / 60 * t)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (f"{a:.2f},{v:.3f}" for a, v in zip(t, wave, strict=True))
    path.write_text("time_s,bvp\n" + "\n".join(rows))
    return path


@pytest.fixture(scope="module")
def emotion_model(tmp_path_factory) -> tuple[Path, Path]:
    """A model trained on contact pulses of synthetic people, and its table."""
    folder = tmp_path_factory.mktemp("model")
    write_study(folder / "s", people=3, trials=4, duration_s=60.0, video=False)
    assert run("features", folder / "s", "--out", folder / "t.csv").exit_code == 0
    words = ("--table", folder / "t.csv", "--target", "arousal", "--out", folder / "m")
    assert run("train", "emotion", *words).exit_code == 0
    return folder / "m", folder / "t.csv"


@pytest.mark.slow
def test_predict_reads_every_recording_of_a_folder_into_one_table(emotion_model, tmp_path) -> None:
    from emotion_rppg import predict

    model, _ = emotion_model
    for who, bpm in (("anna", 60.0), ("ben", 75.0), ("cleo", 90.0)):
        write_pulse(tmp_path / "s" / who / "calm.csv", bpm)
    (tmp_path / "s" / "ben" / "talk.csv").write_text("time_s,bvp\n0,1\n0.02,oops\n")
    done = run("predict", tmp_path / "s", "--model", model, "--out", tmp_path / "p", "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.splitlines()[-1])
    rows = pd.read_csv(tmp_path / "p" / "prediction.csv")
    assert rows["subject"].unique().tolist() == ["anna", "ben", "cleo"]
    assert rows.groupby("subject")["hr_bpm"].mean().tolist() == pytest.approx([60, 75, 90], abs=0.5)
    assert printed["recordings"] == 3
    assert len(printed["windows"]) == printed["rows"] == len(rows)
    assert [f["recording"] for f in printed["failures"]] == ["s/ben/1/talk"]
    assert "oops" in printed["failures"][0]["reason"]
    assert "not read: s/ben/1/talk" in done.stderr
    assert {p.name for p in (tmp_path / "p").iterdir()} == {
        "prediction.csv",
        "failures.csv",
        "run.json",
    }
    files = sorted((tmp_path / "s").rglob("calm.csv"))[:2]
    two = run("predict", *files, "--model", model, "--out", tmp_path / "q", "--json")
    assert json.loads(two.stdout.splitlines()[-1])["recordings"] == 2
    in_python = predict(tmp_path / "s", model)
    pd.testing.assert_frame_equal(
        in_python[["subject", "hr_bpm"]], rows[["subject", "hr_bpm"]], rtol=1e-6
    )
    assert in_python.attrs["failures"] == printed["failures"]


@pytest.mark.slow
def test_predict_prints_counts_in_place_of_many_windows(emotion_model, tmp_path) -> None:
    model, _ = emotion_model
    long, short = (
        write_pulse(tmp_path / "a.csv", 66.0, 400.0),
        write_pulse(tmp_path / "b.csv", 66.0),
    )
    out = tmp_path / "p"
    lines = run("predict", long, "--model", model, "--out", out).stdout.splitlines()
    rows = pd.read_csv(out / "prediction.csv")
    assert len(rows) > 8
    assert len(lines) < len(rows)
    assert f"{(rows['reason'] == 'ok').sum()} of {len(rows)} windows predicted" in lines
    assert str(out / "prediction.csv") in lines
    few = run("predict", short, "--model", model, "--out", tmp_path / "q").stdout
    assert "0–60 s: " in few


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict_takes_a_feature_table(emotion_model, ending, tmp_path) -> None:
    from emotion_rppg import load

    model, table = emotion_model
    path = tmp_path / f"t.{ending}"
    rows = read_table(table)
    rows.to_csv(path, index=False) if ending == "csv" else rows.to_parquet(path)
    done = run("predict", path, "--model", model, "--out", tmp_path / "p", "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.splitlines()[-1])
    got = pd.read_csv(tmp_path / "p" / "prediction.csv")
    want = load(model).predict(rows)
    assert got["arousal"].tolist() == want["arousal"].tolist()
    assert len(got) == len(rows) == printed["rows"]
    wave = write_pulse(tmp_path / "w.csv", 60.0)
    mixed = refused("predict", path, wave, "--model", model, "--out", tmp_path / "q")
    assert "w.csv is none: give tables alone" in mixed


def test_options_are_checked_together_before_the_first_file_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(
        "emotion_rppg.formats.signal_files.opener", lambda path: pytest.fail(f"{path} was opened")
    )
    wave = write_pulse(tmp_path / "w.csv", 60.0)
    given = ("features", wave, tmp_path / "none.csv", "--out", tmp_path / "t.xlsx")
    given += ("--method", "posh", "--source", "bpv", "--length", "0", "--step", "-1")
    given += ("--families", "hrv,hvr", "--encoder", tmp_path / "enc", "--region", "nose")
    printed = refused(*given, "--device", "gpu", "--weights", tmp_path / "w")
    assert "11 things are wrong" in printed
    for word in ("none.csv", "posh", "bpv", "--length", "--step", "'hvr'", "enc", "'nose'", "gpu"):
        assert word in printed, word
    assert "t.xlsx" in printed
    assert f"--weights {tmp_path / 'w'}" in printed
    both = refused("predict", tmp_path / "none.csv", "--model", tmp_path / "m", "--region", "nose")
    assert "3 things are wrong" in both
    both = refused("pulse", wave, "--method", "posh", "--out", tmp_path / "w.txt")
    assert "2 things are wrong" in both


@pytest.mark.slow
def test_names_may_be_written_in_capitals(tmp_path) -> None:
    wave = write_pulse(tmp_path / "w.csv", 60.0)
    words = ("--families", "HRV", "--source", "BVP", "--device", "CPU")
    assert run("features", wave, "--out", tmp_path / "t.csv", *words).exit_code == 0
    done = run("pulse", CLIP, "--method", "POS", "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.splitlines()[-1])
    assert printed["method"] == "pos"
    assert printed["hr_bpm"] == pytest.approx(72, abs=2)


@pytest.mark.slow
def test_channel_selects_a_column_in_every_verb_that_reads_signals(emotion_model, tmp_path) -> None:
    model, _ = emotion_model
    ear = write_pulse(tmp_path / "ear.csv", 90.0).read_text().splitlines()[1:]
    path = write_pulse(tmp_path / "two.csv", 60.0)
    lines = path.read_text().splitlines()[1:]
    both = [f"{a},{b.split(',')[1]}" for a, b in zip(lines, ear, strict=True)]
    path.write_text("time_s,ppg_finger,ppg_ear\n" + "\n".join(both))
    named = ("--channel", "ppg_ear", "--json")

    def last(*words: object) -> dict:
        done = run(*words)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout.splitlines()[-1])

    printed = last("pulse", path, *named, "--out", tmp_path / "w.csv")
    assert printed["hr_bpm"] == pytest.approx(90, abs=0.5)
    assert printed["method"] is printed["face_coverage"] is None
    last("features", path, *named, "--whole", "--out", tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv")["hr_bpm"][0] == pytest.approx(90, abs=0.5)
    printed = last("predict", path, *named, "--model", model, "--out", tmp_path / "p")
    assert printed["hr_bpm"] == pytest.approx(90, abs=0.5)
    for verb in (("pulse",), ("features",), ("predict", "--model", model)):
        words = (verb[0], path, *verb[1:], "--channel", "ppg_toe")
        assert "it has: ppg_finger, ppg_ear" in refused(*words)


@pytest.mark.slow
def test_each_of_two_data_sets_is_tested_with_heads_trained_on_the_other(tmp_path) -> None:
    tables = []
    for seed, (name, high) in enumerate({"first": 9, "second": 5}.items()):
        folder = tmp_path / name
        how = {"people": 3, "trials": 4, "duration_s": 30.0, "video": False}
        write_study(folder, **how, seed=seed, scale=(1, high))
        facts = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(facts | {"dataset": name}))
        tables += ["--table", tmp_path / f"{name}.csv"]
        assert run("features", folder, "--whole", "--out", tables[-1]).exit_code == 0
    words = ("--target", "arousal", "--heads", "logistic", "--split", "datasets")
    out = tmp_path / "e"
    done = run("evaluate", *tables, *words, "--out", out)
    assert done.exit_code == 0, done.output
    printed = pd.read_parquet(out / "predictions.parquet")
    assert set(printed.groupby("subject")["n_train"].first()) == {12}
    assert len(set(printed["subject"])) == 6
    page = (out / "report.html").read_text()
    assert "leave-one-data-set-out" in page
    assert "(above 3 or 5)" in page
    rows = pd.read_csv(out / "results.csv").query("head == 'logistic'")
    for name, own in rows.groupby(rows["subject"].str.split("/").str[0]):
        assert f"{name} (3 people)" in page
        assert f"{own['balanced_accuracy'].mean():.2f} [" in page
    assert page.count("--table ") == 2
    message = refused("evaluate", *tables[:2], *words, "--out", tmp_path / "f")
    assert "there is 1 data set with labels (first)" in message


@pytest.mark.slow
def test_encoder_and_network_are_trained_from_the_command_line(tmp_path) -> None:
    write_study(tmp_path / "s", people=2, trials=2, duration_s=30.0, video=False)
    table = tmp_path / "t.csv"
    assert run("features", tmp_path / "s", "--whole", "--out", table).exit_code == 0
    words = ("train", "encoder", "--table", table, "--epochs", 2, "--hidden", 4)
    assert run(*words, "--out", tmp_path / "e", "--writes", "tachogram", "--resume").exit_code == 0
    assert not list(tmp_path.glob(".e*"))
    assert "unknown sequence" in refused(*words, "--out", tmp_path / "f", "--reads", "ecg")
    more = run(
        "features", tmp_path / "s", "--whole", "--encoder", tmp_path / "e", "--out", table, "--json"
    )
    assert more.exit_code == 0, more.output
    assert "emb_003" in table.read_text().splitlines()[0]
    words = ("train", "pulse", "--steps", 2, "--size", 16, "--frames", 16, "--device", "cpu")
    words += ("--tensorboard", tmp_path / "runs")
    assert run(*words, "--out", tmp_path / "n", "--init", "bundled").exit_code == 0
    assert [path.name.rpartition(".")[2] for path in (tmp_path / "runs").iterdir()] == ["n"]
    made = json.loads((tmp_path / "n" / "run.json").read_text())
    assert made["arguments"]["init"] == "bundled"
    assert made["inputs"][0]["folder"] == "physnet"
    unread = ("--dataset", "folder", "--root", tmp_path / "nowhere")  # no face is tracked for it
    assert "no folder 'none' to begin with" in refused(*words, *unread, "--init", "none")
    assert "known: physnet, cnn3d" in refused(*words, *unread, "--network", "cnn4d")
    message = refused(*words, *unread, "--network", "cnn3d", "--init", tmp_path / "n")
    assert "holds the network 'physnet' and 'cnn3d' is to be trained" in message
    assert "too short for lag_tolerant" in refused(*words, *unread, "--loss", "lag_tolerant")
    assert "not an output of" in refused(*words, *unread, "--out", tmp_path / "runs")
    one = tmp_path / "one"
    assert "would lie in" in refused(*words, *unread, "--out", one, "--tensorboard", one)
    read = run("pulse", CLIP, "--weights", tmp_path / "n", "--json")
    assert read.exit_code == 0, read.output
    assert "emotion-rppg: the network" in refused(
        "evaluate", "--table", table, "--target", "arousal", "--out", tmp_path / "x"
    ).replace("encoder", "network")

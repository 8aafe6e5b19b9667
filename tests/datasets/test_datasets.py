"""Laws that hold for every data set, and messages of the folder reader.

The tests iterate over DATASETS, so a line there is enough to test a new reader. Each reader has

- ``card``: facts, with ``bibtex`` where there is something to cite, and ``verified``;
- ``__init__(root)``: lists recordings and opens neither video nor signal (labels alone);
- a fake: ``tests/datasets/fakes/`` describes it and has a file of the reader's name.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.datasets import DATASETS, cards
from emotion_rppg.datasets.folder import VIDEOS, Folder, recording_of, write_template
from emotion_rppg.datasets.synthetic import write_study
from emotion_rppg.errors import InputError
from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.kinds import KINDS, wave_kinds
from emotion_rppg.formats.signal_csv import kinds_in, read_signal
from emotion_rppg.recordings import Card, DatasetNotFound
from emotion_rppg.signals import UNITS, Beats
from emotion_rppg.video.frames import read_frames
from tests.datasets.fakes import FAKES
from tests.datasets.fakes.shared import TRUTH, read_sensors, read_truth

EACH_DATASET = pytest.mark.parametrize("name", DATASETS)


def test_every_data_set_has_a_fake_in_the_file_of_its_readers_name() -> None:
    wanted = {name: reader.__module__.rpartition(".")[2] for name, reader in DATASETS.items()}
    assert {name: write.__module__.rpartition(".")[2] for name, write in FAKES.items()} == wanted


@EACH_DATASET
def test_recordings_are_unique_and_always_in_the_same_order(name, fakes) -> None:
    first, again = list(DATASETS[name](fakes[name])), list(DATASETS[name](fakes[name]))
    names = [r.name for r in first]
    assert names == [r.name for r in again]
    assert len(set(names)) == len(names) == len(DATASETS[name](fakes[name]))
    assert len({r.person for r in first}) >= 2


@EACH_DATASET
def test_labels_lie_within_their_scale(name, fakes) -> None:
    for recording in DATASETS[name](fakes[name]):
        for label, value in recording.labels.items():
            low, high = recording.scales.get(label, (-np.inf, np.inf))
            assert isinstance(value, str) or low <= value <= high
            assert isinstance(value, str) or label in recording.scales


@EACH_DATASET
def test_signals_and_video_of_a_recording_have_equal_length(name, fakes) -> None:
    for recording in DATASETS[name](fakes[name]):
        waves = {kind: recording.read(kind) for kind in recording.signals if kind != "rr"}
        lengths = [wave.duration_s for kind, wave in waves.items() if kind in KINDS]
        if recording.video is not None:
            read = recording.video.colours
            times = [f.time_s for f in read_frames(recording.video)] if read is None else read()[0]
            lengths.append((times[-1] - times[0]) * len(times) / (len(times) - 1))
        assert max(lengths) - min(lengths) < 0.2


@EACH_DATASET
def test_the_planted_rate_is_found_in_each_recording_and_no_other(name, fakes) -> None:
    """Another person's, trial's or channel's pulse has another rate."""
    truth = read_truth(fakes[name])
    found = list(DATASETS[name](fakes[name]))
    assert sorted(truth) == sorted(r.name for r in found)
    for recording in found:
        pulses = {kind for kind in recording.signals if kind in KINDS}
        assert pulses == set(truth[recording.name])
        for kind in pulses:
            wave = recording.read_pulse(kind)
            assert wave.kind == kind
            beats = wave if isinstance(wave, Beats) else find_beats(wave)
            bpm = 60e3 / np.median(beats.intervals_ms)
            assert bpm == pytest.approx(truth[recording.name][kind], abs=1.9), recording.name


@EACH_DATASET
def test_signals_without_beats_have_the_planted_level_in_their_unit(name, fakes) -> None:
    """Another person's, trial's or channel's signal has another level; another unit, too."""
    truth = read_sensors(fakes[name])
    for recording in DATASETS[name](fakes[name]):
        levels = truth.get(recording.name, {})
        assert {kind for kind in recording.signals if kind in UNITS} == set(levels)
        others = [recording.read(k).start_s for k in recording.signals if k in wave_kinds()]
        for kind, level in levels.items():
            signal = recording.read(kind)
            assert (signal.kind, signal.rate_hz) == (kind, DATASETS[name].card.rates_hz[kind])
            assert all(abs(signal.start_s - start_s) < 1 for start_s in others)
            samples = signal.samples[np.isfinite(signal.samples)]
            low, middle, high = np.quantile(samples, (0.1, 0.5, 0.9))
            found = (high - low) / 2 / 0.951 if kind == "acc" else middle  # of a sine's amplitude
            assert found == pytest.approx(level, rel=1e-3, abs=0.02), (recording.name, kind)


@pytest.fixture(scope="module")
def opened():
    """Collect the paths that Python opens; an audit hook cannot be removed, only switched off."""
    paths: list[str] = []
    active = [True]

    def record(event: str, args: tuple) -> None:
        if active[0] and event == "open" and isinstance(args[0], str | Path):
            paths.append(str(args[0]))

    sys.addaudithook(record)
    yield paths
    active[0] = False


@EACH_DATASET
def test_listing_opens_only_few_files_and_no_signals(name, fakes, opened) -> None:
    """Headers and tables of labels may be opened, about once each, but no video and no array."""
    root = fakes[name]  # written here, if no other test has used it
    opened.clear()
    listed = list(DATASETS[name](root))
    inside = [p for p in opened if p.startswith(str(root))]
    assert not [p for p in inside if p.lower().endswith((*VIDEOS, ".pkl", ".dat", ".bdf", ".png"))]
    assert len(inside) <= 3 + 3 * len(listed)


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 5]),
    "no text": lambda path: path.write_bytes(bytes(range(256)) * 3),
}


@pytest.mark.slow
@EACH_DATASET
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_in_the_error_or_not_needed(name, damage, fakes, tmp_path) -> None:
    """Damage one file of each ending and depth: an InputError names it, or there is none."""
    kinds = {}
    for path in sorted(fakes[name].rglob("*.*")):
        inside = path.relative_to(fakes[name])
        if path.is_file() and path.name != TRUTH and inside.parts[0] != "truth":
            kinds.setdefault((path.suffix, len(inside.parts), path.parent.parent.name), inside)
    for k, inside in enumerate(list(kinds.values())[:6]):
        copy = shutil.copytree(fakes[name], tmp_path / str(k))
        DAMAGES[damage](copy / inside)
        message = refusal(DATASETS[name], copy)
        assert not message or inside.name in message or inside.parent.name in message
        shutil.rmtree(copy)


@EACH_DATASET
def test_columns_are_found_by_name(name, fakes, tmp_path) -> None:
    """A table with its columns in another order reads the same, or is refused."""
    before = read_all(DATASETS[name](fakes[name]))
    copy = shutil.copytree(fakes[name], tmp_path / fakes[name].name)
    changed = [path for path in sorted(copy.rglob("*.csv")) if move_last_column_first(path)]
    if not changed:
        return
    message = refusal(DATASETS[name], copy)
    if message:
        assert any(path.name in message for path in changed)
        return
    after = read_all(DATASETS[name](copy))
    assert after.keys() == before.keys()
    for recording in before:
        assert before[recording][0] == after[recording][0]
        for mine, other in zip(before[recording][1], after[recording][1], strict=True):
            np.testing.assert_allclose(mine, other)


def refusal(cls, root: Path) -> str:
    """Return the message of the InputError of listing or reading; "" if all can be read."""
    try:
        read_all(cls(root))
    except InputError as error:
        return str(error)
    return ""


def read_all(dataset) -> dict[str, tuple]:
    return {
        r.name: (dict(r.labels), [_values(r.read_pulse(k)) for k in sorted(r.signals)])
        for r in dataset
    }


def _values(pulse) -> np.ndarray:
    return pulse.times_s if isinstance(pulse, Beats) else pulse.samples


def move_last_column_first(path: Path) -> bool:
    """Put the last column of a CSV first, if it has named columns."""
    lines = path.read_text().splitlines()
    delimiter = max(",;", key=lines[0].count)
    rows = [line.split(delimiter) for line in lines]
    named = all(cell[:1].isalpha() for cell in rows[0])
    if not (named and len(rows[0]) > 1 and {len(row) for row in rows} == {len(rows[0])}):
        return False
    path.write_text("\n".join(delimiter.join([row[-1], *row[:-1]]) for row in rows) + "\n")
    return True


@EACH_DATASET
def test_a_missing_folder_is_explained(name, tmp_path) -> None:
    with pytest.raises(DatasetNotFound, match="does not exist"):
        DATASETS[name](tmp_path / "nowhere")
    with pytest.raises(DatasetNotFound, match="expected "):
        DATASETS[name](tmp_path)


@EACH_DATASET
def test_the_card_has_all_facts(name) -> None:
    card = DATASETS[name].card
    assert isinstance(card, Card)
    assert card.name == name
    assert card.access
    assert card.licence
    assert card.report_to
    assert card.verified.startswith((*cards.VERIFIED, "from documents"))
    assert bool(card.reference) == card.bibtex.startswith("@")
    assert all(low < high for low, high in card.scales.values())


def manifest(folder: Path, text: str, **facts: object) -> Path:
    (folder / "b").mkdir(parents=True, exist_ok=True)
    for name in ("a.csv", "b/a.csv"):
        rows = "\n".join(f"{k / 64},{k}" for k in range(640))
        (folder / name).write_text("time_s,bvp\n" + rows)
    (folder / "manifest.csv").write_text(text)
    (folder / "manifest.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,video\n1,\n", "does not have the columns trial"),
        ("subject,trial\n1,1\n", "does not have the columns video or signal"),
        ("subject,trial,signal\n1,1,b.csv\n", "line 2: no file 'b.csv'"),
        ("subject,trial,signal\n1,1,../secret.csv\n", "outside the study's folder"),
        ("subject,trial,signal\n1,1,a.csv\n1,1,a.csv\n", "is already on line 2"),
        ("subject,trial,signal\n,1,a.csv\n", "line 2: no subject"),
        ("subject,trial,signal\n1,1,\n", "neither a video nor a signal"),
        ("subject,trial,signal,start_s\n1,1,a.csv,soon\n", "start_s is 'soon'"),
        ("subject,trial,signal,label_arousal\n1,1,a.csv,12\n", "outside its scale 1–9"),
        ("subject,trial,signal,label_arousal\n1,1,a.csv,high\n", "want a number"),
        ("subject,trial,signal\n1,1,a.csv,5\n", "more cells than the header"),
        ("subject,trial,signal\n", "has no rows"),
        ("", "is empty"),
        ("subject,trial,signal,trial\n1,1,a.csv,2\n", "want each name once"),
        ("subject,trial,signal\n1,1,a.csv;b/a.csv\n", "line 2: 'b/a.csv' is a second bvp"),
        ("subject,trial,signal\n1,1,/etc/passwd\n", "outside the study's folder"),
        ("subject,trial,signal\n1,1,a\0.csv\n", "not a file name"),
        ("subject,trial,signal\n1,1," + 300 * "long" + ".csv\n", "not a file name"),
        ("subject,trial,signal,start_s,end_s\n1,1,a.csv,5,2\n", "line 2: end_s 2 is not after"),
        ("subject,trial,signal,label_x\n1,1,a.csv,inf\n", "label_x is 'inf', want a number"),
        ("subject,trial,signal\n1,1," + 140_000 * "x" + "\n", "not CSV"),
    ],
    ids=range(21),
)
def test_a_wrong_manifest_is_refused(tmp_path, text, message) -> None:
    folder = manifest(tmp_path / "s", text, scales={"arousal": [1, 9]})
    with pytest.raises(InputError, match=message):
        Folder(folder)


def test_a_manifest_is_read_with_its_span_labels_and_scales(tmp_path) -> None:
    text = (
        "\ufeffsubject;session;trial;signal;start_s;end_s;label_arousal;label_mood\n"
        "01;2;x;a.csv;2;5;7;glad\n"
    )
    folder = manifest(tmp_path / "s", text, dataset="mine", scales={"arousal": [1, 9]})
    (recording,) = Folder(folder)
    assert recording.name == "mine/01/2/x"
    assert recording.labels == {"arousal": 7.0, "mood": "glad"}
    assert recording.scales == {"arousal": (1, 9)}
    wave = recording.read("bvp")
    assert wave.start_s == 0.0
    assert wave.duration_s == pytest.approx(3.0, abs=0.02)
    assert wave.samples[0] == pytest.approx(128)
    with pytest.raises(InputError, match="no signal 'ecg'; it has: bvp"):
        recording.read("ecg")


@pytest.mark.parametrize(
    "facts", [[1], {"scales": [1, 9]}, {"scales": {"arousal": ["1", "9"]}}, {"dataset": 5}]
)
def test_a_wrong_manifest_json_is_refused(tmp_path, facts) -> None:
    folder = manifest(tmp_path / "s", "subject,trial,signal\n1,1,a.csv\n")
    (folder / "manifest.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match=r"manifest\.json cannot be used"):
        Folder(folder)


def test_probable_mistakes_are_warned_of_and_read_as_written(tmp_path, caplog) -> None:
    text = "subject,trial,signal,lable_arousal\n01,1,a.csv,3\n1,1,a.csv,4\n"
    folder = manifest(tmp_path / "s", text, scales={"arousal": [1, 9]})
    assert [r.subject for r in Folder(folder)] == ["01", "1"]
    assert "'01' and '1'" in caplog.text
    assert "no trial has this label" in caplog.text


def test_decimal_commas_and_missing_ratings_are_read(tmp_path) -> None:
    text = "subject;trial;signal;end_s;label_arousal\n1;1;a.csv;2,5;3,5\n1;2;a.csv;;nan\n"
    one, two = Folder(manifest(tmp_path / "s", text, scales={"arousal": [1, 9]}))
    assert one.labels == {"arousal": 3.5}
    assert two.labels == {}
    assert one.read("bvp").duration_s == pytest.approx(2.5, abs=0.02)


def test_a_folder_without_a_manifest_gives_one_recording_per_file(tmp_path) -> None:
    for name in ("p1/calm.mp4", "p1/tense.mp4", "p2/calm.csv", ".hidden/x.mp4", "notes.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("time_s,ecg\n0,1\n1,2\n" if name == "p2/calm.csv" else "a,b\n1,2\n")
    found = [(r.subject, r.trial, sorted(r.signals)) for r in Folder(tmp_path)]
    assert found == [("p1", "calm", []), ("p1", "tense", []), ("p2", "calm", ["ecg"])]


def test_listing_reads_no_video(tmp_path) -> None:
    (tmp_path / "broken.mp4").write_text("not a video")
    (tmp_path / "folder.mp4").mkdir()
    assert len(Folder(tmp_path)) == 1


def test_a_template_is_a_manifest_and_changes_no_existing_file(tmp_path) -> None:
    for name in ("v.mp4", "p1/calm.mp4", "p1/._calm.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    bare = [r.name for r in Folder(tmp_path)]
    path = write_template(tmp_path)
    assert [r.name for r in Folder(tmp_path)] == bare
    assert [(r.subject, r.trial) for r in Folder(tmp_path)] == [("p1", "calm"), ("v", "1")]
    path.write_text("mine")
    write_template(tmp_path)
    assert path.read_text() == "mine"


# ---- signal files ----------------------------------------------------------------------------


def written(folder: Path, text: str) -> Path:
    path = folder / "s.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_uneven_and_repeated_times_are_put_on_a_grid(tmp_path, caplog) -> None:
    draw = np.random.default_rng(0)
    times = np.sort(draw.uniform(0, 10, 700)).round(3)
    times[50] = times[49]
    rows = "\n".join(f"{t},{np.sin(t)}" for t in times)
    wave = read_signal(written(tmp_path, "time_s,ppg\n" + rows))
    assert wave.kind == "bvp"
    valid = np.isfinite(wave.samples)
    assert np.abs(wave.samples - np.sin(wave.times_s))[valid].max() < 0.05
    assert "repeated" in caplog.text


def test_a_csv_with_decimal_commas_is_read(tmp_path) -> None:
    text = "\ufefftime_s;ecg\n" + "\n".join(
        f"{k / 100:.2f};{k},5".replace(".", ",") for k in range(200)
    )
    wave = read_signal(written(tmp_path, text))
    assert wave.rate_hz == pytest.approx(100)
    assert wave.samples[3] == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,bvp\n0,1\n", "want a header with time_s"),
        ("time_s,bvp\n0,1\n0.1,two\n", "line 3: bvp is 'two'"),
        ("time_s,bvp\n0,1\n,2\n", "time_s is empty on line 3"),
        ("time_s,bvp\n1,1\n0,2\n", "decreases on line 3"),
        ("time_s,bvp\n0,1\n", "at least two"),
        ("", "want a header"),
        ("time_s,bvp\n0,1\n\n0.1,two\n", "line 4: bvp is 'two'"),
        ("time_s,bvp,ppg\n0,1,2\n0.1,2,3\n", "want each signal once"),
        ("time_s,bvp\n0,0,1\n0,02,2\n", "line 2: 3 cells for 2 columns"),
        ("time_s,bvp\n0,1\n20,2\n40,3\n", "in milliseconds"),
        ("time_s,bvp\n0,1\n.1,2\n.2,3\n1e12,4\n", r"jumps by 1e\+12 s before line 5"),
        ("time_s,bvp,quality\n0,1,good\n.1,2,1\n", "quality is 'good'"),
        ('time_s,bvp\n0,"1\n0.1,2\n', "cannot be read as a CSV"),
    ],
)
def test_a_wrong_signal_file_is_refused(tmp_path, text, message) -> None:
    with pytest.raises(InputError, match=message):
        read_signal(written(tmp_path, text))


@pytest.mark.parametrize("raw", [bytes(range(256)), "time_s,bvp\n0,1\n".encode("utf-16")])
def test_a_file_that_is_not_text_is_refused(tmp_path, raw) -> None:
    (tmp_path / "s.csv").write_bytes(raw)
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_signal(tmp_path / "s.csv")


def test_blank_lines_and_empty_cells_are_not_values(tmp_path) -> None:
    wave = read_signal(written(tmp_path, "time_s,bvp\n0,1\n\n0.1,\n0.2,3\n0.3,4\n\n\n"))
    assert wave.samples[[0, 2, 3]].tolist() == [1, 3, 4]
    assert len(wave) == 4


def test_several_signals_of_one_file_are_distinguished(tmp_path) -> None:
    rows = "\n".join(f"{k / 50},{k},{-k}" for k in range(100))
    path = written(tmp_path, "time_s,ecg,bvp\n" + rows)
    assert kinds_in(path) == ["ecg", "bvp"]
    assert read_signal(path, "bvp").samples[1] == pytest.approx(-1)
    assert sorted(recording_of(path).signals) == ["bvp", "ecg"]
    with pytest.raises(InputError, match="several signals"):
        read_signal(path)


# ---- the synthetic study ---------------------------------------------------------------------


@pytest.mark.parametrize("trials", [2, 4, 6])
def test_each_person_is_as_often_above_as_below_both_midpoints(tmp_path, trials) -> None:
    study = Folder(
        write_study(tmp_path / "s", people=4, trials=trials, duration_s=2.0, video=False)
    )
    above: dict[str, list] = {}
    for r in study:
        above.setdefault(r.person, []).append((r.labels["arousal"] > 5, r.labels["valence"] > 5))
    assert len(above) == 4
    for sides in above.values():
        np.testing.assert_array_equal(np.sum(sides, axis=0), trials / 2)
        assert len(set(sides)) == min(trials, 4)


def test_the_truth_has_the_arrival_of_each_beat_at_each_site(tmp_path) -> None:
    root = write_study(tmp_path / "s", people=1, trials=1, duration_s=20.0, video=False)
    heart, finger, face = np.loadtxt(
        root / "truth/1_1_beats.csv", delimiter=",", skiprows=1, unpack=True
    )
    (recording,) = Folder(root)
    step = np.median(np.diff(heart))
    assert np.diff(heart, prepend=0.0, append=20.0).max() < 1.5 * step  # none is missing
    ecg, bvp = recording.read("ecg"), recording.read("bvp")
    camera = read_signal(root / "truth/1_1_camera.csv")
    for wave, times in ((ecg, heart), (bvp, finger), (camera, face)):
        for time in times[2:-2]:  # R peaks, and the tops of pulses
            near = wave.crop(time - 0.2, time + 0.2)
            assert near.times_s[near.samples.argmax()] == pytest.approx(time, abs=0.07)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": -2},
        {"size": 0},
        {"size": 33},
        {"people": 0},
        {"trials": 101},
        {"people": 1001},
        {"seed": -1},
        {"seed": 999},
        {"duration_s": float("nan")},
        {"rate_hz": 0.0},
        {"scale": (5, 1)},
        {"strength": -0.5},
        {"strength": float("nan")},
    ],
    ids=str,
)
def test_an_impossible_study_is_refused_and_writes_nothing(tmp_path, wrong) -> None:
    options = {"people": 1, "trials": 1, "duration_s": 2.0, **wrong}
    with pytest.raises(InputError, match=r"want|must be"):
        write_study(tmp_path / "s", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_study_may_have_another_rating_scale_and_a_weaker_response(tmp_path) -> None:
    def write(folder: str, **changes):
        options = {"people": 2, "trials": 8, "duration_s": 20.0, "video": False, **changes}
        return list(Folder(write_study(tmp_path / folder, **options)))

    def rates(
        study,
    ) -> np.ndarray:  # beats per second: most minus least aroused trial of each person
        rated = sorted(study, key=lambda r: (r.subject, r.labels["arousal"]))
        found = [len(find_beats(r.read("ecg"))) / 20 for r in rated]
        return np.diff(np.reshape(found, (2, 8))[:, [0, -1]])

    usual, other, none = write("a"), write("b", scale=(1, 5)), write("c", strength=0.0)
    for a, b in zip(usual, other, strict=True):
        assert b.scales == {"arousal": (1, 5), "valence": (1, 5)}
        for name in a.labels:
            assert b.labels[name] - 3 == pytest.approx((a.labels[name] - 5) / 2)
        np.testing.assert_array_equal(a.read("ecg").samples, b.read("ecg").samples)
    assert (rates(usual) > 0.15).all()
    assert (np.abs(rates(none)) < 0.15).all()


def test_studies_of_different_seeds_share_no_person(tmp_path) -> None:
    people = [
        {
            r.subject
            for r in Folder(
                write_study(
                    tmp_path / str(seed), people=3, trials=1, duration_s=2.0, video=False, seed=seed
                )
            )
        }
        for seed in (0, 1)
    ]
    assert len(people[0]) == len(people[1]) == 3
    assert not people[0] & people[1]


def test_progress_counts_every_trial(tmp_path) -> None:
    calls: list[tuple[int, int]] = []
    write_study(
        tmp_path / "s",
        people=2,
        trials=2,
        duration_s=2.0,
        video=False,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.slow
def test_a_study_does_not_depend_on_the_number_of_workers(tmp_path) -> None:
    for workers in (1, 2):
        write_study(
            tmp_path / str(workers), people=2, trials=1, duration_s=3.0, size=32, workers=workers
        )
    files = sorted(p.relative_to(tmp_path / "1") for p in (tmp_path / "1").rglob("*.*"))
    assert len(files) >= 10
    for name in files:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name

"""run.json records how an output was made; a changed input has another identity."""

import json

from emotion_rppg.runtime.provenance import identity, write_run


def test_a_changed_file_has_another_identity(tmp_path) -> None:
    path = tmp_path / "v.bin"
    path.write_bytes(b"a" * 3_000_000)
    before = identity(path)
    path.write_bytes(b"a" * 2_999_999 + b"b")
    assert identity(path) != before
    assert before["bytes"] == 3_000_000


def test_the_record_is_beside_the_file_and_retains_those_of_other_outputs(tmp_path) -> None:
    (tmp_path / "in.csv").write_text("x")
    for name in ("one.csv", "two.csv", "one.csv"):
        (tmp_path / name).write_text("x")
        write_run(tmp_path / name, "pulse", {"path": tmp_path / name}, [tmp_path / "in.csv"])
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["output"] == "one.csv"
    assert list(record["others"]) == ["two.csv"]
    assert record["inputs"][0]["file"] == "in.csv"
    assert record["versions"]["emotion_rppg"]


def test_a_damaged_record_is_replaced(tmp_path) -> None:
    (tmp_path / "run.json").write_text("{half")
    (tmp_path / "t.csv").write_text("x")
    write_run(tmp_path / "t.csv", "features", {})
    assert json.loads((tmp_path / "run.json").read_text())["verb"] == "features"

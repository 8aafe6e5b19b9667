"""Subject, session and trial of files in a folder without a manifest."""

from pathlib import Path

import pytest

from emotion_rppg.datasets.folder import Folder, write_template

FILES = ("anna/day1/calm.mp4", "anna/day2/calm.mp4", "anna/day2/late/calm.mp4", "ben/calm.mp4")


@pytest.fixture
def nested(tmp_path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path


def test_a_person_with_two_sessions_is_one_person(nested) -> None:
    found = [(r.subject, r.session, r.trial) for r in Folder(nested)]
    assert found == [
        ("anna", "day1", "calm"),
        ("anna", "day2", "calm"),
        ("anna", "day2/late", "calm"),
        ("ben", "1", "calm"),
    ]


def test_a_template_names_people_as_the_folder_without_a_manifest_does(nested) -> None:
    bare = [r.name for r in Folder(nested)]
    write_template(nested)
    assert [r.name for r in Folder(nested)] == bare

"""Fixture `fakes`: the folder of each data set's fake, written when it is first used."""

from pathlib import Path

import pytest

from tests.datasets.fakes import FAKES


class Fakes(dict[str, Path]):
    """Folder of the fake of each data set, by the name of the data set."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def __missing__(self, name: str) -> Path:
        self[name] = FAKES[name](self.root / name)
        return self[name]


@pytest.fixture(scope="session")
def fakes(tmp_path_factory) -> Fakes:
    return Fakes(tmp_path_factory.mktemp("fakes"))

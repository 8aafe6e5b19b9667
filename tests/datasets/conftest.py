"""The fakes of all data sets, each written once and when it is first asked for."""

from pathlib import Path

import pytest

from emotion_rppg.datasets import DATASETS


class Fakes(dict[str, Path]):
    """Name of a data set -> the folder of its fake."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def __missing__(self, name: str) -> Path:
        self[name] = DATASETS[name].write_fake(self.root / name)
        return self[name]


@pytest.fixture(scope="session")
def fakes(tmp_path_factory) -> Fakes:
    return Fakes(tmp_path_factory.mktemp("fakes"))

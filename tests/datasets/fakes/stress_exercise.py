"""A fake of the induced stress and exercise set: E4 sessions that begin with a date."""

from datetime import UTC, datetime
from pathlib import Path

from tests.datasets.fakes.sensors import MAKE, e4_file, level_of, truth_of
from tests.datasets.fakes.shared import pulse, rate_of, write_truth

SESSIONS = {"STRESS": ("S01", "f14_a", "f14_b"), "AEROBIC": ("S01",), "ANAEROBIC": ("f02",)}
PRESSES_S = (5.0, 12.5)


def write(folder: str | Path, *, seconds: int = 30) -> Path:
    """Write sessions of three people; one was interrupted and has two parts."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    sensors: dict[str, dict[str, float]] = {}
    names = [(activity, name) for activity, people in SESSIONS.items() for name in people]
    for n, (activity, name) in enumerate(names):
        start = 1_361_557_287 + 100_000 * n
        place = folder / "Wearable_Dataset" / activity / name
        place.mkdir(parents=True)
        person, _, part = name.partition("_")
        recording = f"stress-exercise/{person}/{part or 1}/{activity.lower()}"
        truth[recording] = {"bvp": rate_of(n)}
        sensors[recording] = truth_of(level_of(n), ("eda", "temp", "acc"))
        waves = {"bvp": (30 * pulse(rate_of(n), seconds, 64), 64)}
        waves |= {k: (MAKE[k](level_of(n), seconds, hz), hz) for k, hz in RATES.items()}
        for kind, (wave, hz) in waves.items():
            text = e4_file(wave, start, hz, per_unit=64.0 if kind == "acc" else 1.0)
            dated = text.replace(f"{start:.2f}", _date(start))
            (place / f"{kind.upper()}.csv").write_text(dated, encoding="utf-8")
        presses = "\n".join(_date(start + press) for press in PRESSES_S)
        (place / "tags.csv").write_text(presses + "\n", encoding="utf-8")
    return write_truth(folder, truth, sensors)


RATES = {"eda": 4, "temp": 4, "acc": 32}


def _date(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

"""A fake of LGI-PPGI: a video and two XML streams in each folder."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_face, write_truth


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with two activities; the oximeter begins with 1.5 s of a decoy."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    for person in ("alex", "cpi"):
        for activity in ("gym", "resting"):
            bpm = rate_of(len(truth))
            truth[f"lgi-ppgi/{person}/1/{activity}"] = {"bvp": bpm}
            place = folder / person / f"{person}_{activity}"
            place.mkdir(parents=True)
            video_wave = pulse(bpm, seconds, 25)
            write_face(place / "cv_camera_sensor_stream_handler.avi", video_wave, 30.0)
            wave = np.r_[pulse(DECOY_BPM, 1.5, 60), pulse(bpm, seconds, 60)]
            beats = [(80.0, round(60 + 50 * v)) for v in wave]
            text = _stream("<value1>{:g}</value1><value2>{}</value2>", beats)
            (place / "cms50_stream_handler.xml").write_text(text)
            stamps = [(1000 * k / 25, 0) for k in range(1, len(video_wave) + 1)]
            text = _stream("<value0>{1}</value0><value1>{0:.3f}</value1>", stamps)
            (place / "cv_camera_sensor_timer_stream_handler.xml").write_text(text)
    return write_truth(folder, truth)


def _stream(shape: str, rows: list[tuple[float, int]]) -> str:
    """Format a stream as XML: one element per row, with the row's values in ``shape``."""
    items = (f"<value{k}>{shape.format(*row)}</value{k}>" for k, row in enumerate(rows))
    return "<stream>\n" + "\n".join(items) + "\n</stream>\n"

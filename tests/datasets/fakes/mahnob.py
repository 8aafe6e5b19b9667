"""A fake of MAHNOB-HCI: sessions of a video, an eye tracker's table and a BDF."""

from pathlib import Path

import numpy as np

from tests.datasets.fakes.sensors import breathing, level_of, temperature, truth_of
from tests.datasets.fakes.shared import DECOY_BPM, ecg_wave, pulse, rate_of, write_face, write_truth


def write(folder: str | Path, *, seconds: int = 8) -> Path:
    """Write two people with rated sessions and one session without ratings."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    sensors: dict[str, dict[str, float]] = {}
    for session, person in ((2, 1), (10, 1), (132, 2)):
        bpm = rate_of(len(truth))
        truth[f"mahnob-hci/{person:02d}/1/{session}"] = {"ecg": bpm}
        place = folder / "Sessions" / str(session)
        place.mkdir(parents=True)
        level = level_of(len(truth))
        sensors[f"mahnob-hci/{person:02d}/1/{session}"] = truth_of(level, ("resp", "temp"))
        _write_session(place, session, person, bpm, level, seconds)
    place = folder / "Sessions" / "5"
    place.mkdir()
    (place / "session.xml").write_text('<session sessionId="5"><subject id="1"/></session>')
    return write_truth(folder, truth, sensors)


def _write_session(
    place: Path, session: int, person: int, bpm: float, level: float, seconds: int
) -> None:
    """Write a session whose video begins 2.5 s before the film and 100 s after the audio.

    All names are literals: the reader's constants would repeat its mistakes.
    """
    import pyedflib

    names = {
        "film": f"P{person}-Rec1-2009.07.09.17.53.46_C1 trigger _C_Section_{session}.avi",
        "gaze": f"P{person}-Rec1-All-Data-New_Section_{session}.tsv",
        "body": f"Part_{person}_S_Trial{session}_emotion.bdf",
    }
    end = 103.5 + seconds
    (place / "session.xml").write_text(
        f'<session sessionId="{session}" isStim="1" mediaFile="{50 + session}.avi" feltEmo="4" '
        f'feltArsl="{2 + person}" feltVlnc="8" feltCtrl="5" feltPred="1" vidRate="60.97" '
        f'vidBeginSmp="6097" vidEndSmp="{60.97 * end}" audRate="44100" audBeginSmp="4410000" '
        f'audEndSmp="{44100 * end:.0f}">\n <subject id="{person}" gender="F"/>\n'
        f' <track type="Video" color="1" filename="{names["film"]}">\n'
        f'  <track type="Gaze" filename="{names["gaze"]}"/>\n </track>\n'
        f' <track type="Physiological" filename="{names["body"]}"/>\n</session>\n'
    )
    head = ["Properties", *[""] * 21, "Timestamp\tEvent\tAudioSampleNumber"]
    rows = [f"{7000 + 500 * k}\t\t{44100 * (100 + k / 2):.0f}" for k in range(2 * seconds + 6)]
    rows[5:5] = ["9500\tMovieStart\t"]  # 102.5 s in the audio
    rows += [f"{9500 + 1000 * seconds}\tMovieEnd\t"]
    (place / names["gaze"]).write_text("\n".join([*head, *rows]) + "\n")
    parts = [(DECOY_BPM, 2.5), (bpm, seconds), (DECOY_BPM, 1)]
    beats = np.concatenate([ecg_wave(*p, 60.97) for p in parts])
    write_face(place / names["film"], np.convolve(beats, np.hanning(41), "same"), 60.97)
    parts = [(DECOY_BPM, 30), (bpm, seconds), (DECOY_BPM, 5)]
    status = np.full(256 * (35 + seconds), 0x100000)  # one of the amplifier's own bits
    status[256 * 30 : 256 * 30 + 9] += 16
    status[256 * (30 + seconds) : 256 * (30 + seconds) + 9] += 32
    decoy = pulse(DECOY_BPM, 35 + seconds, 256)
    waves = dict.fromkeys(("Fp1", "EXG1", "EXG2", "EXG3", "GSR1", "Resp", "Temp", "Status"), decoy)
    for label, make in (("Resp", breathing), ("Temp", temperature)):
        parts_of = [(9.0, 30), (level, seconds), (9.0, 5)]
        waves[label] = np.concatenate([make(*p, 256) for p in parts_of])
    waves |= {"EXG2": np.concatenate([ecg_wave(*p, 256) for p in parts]), "Status": status}
    with pyedflib.EdfWriter(
        str(place / names["body"]), len(waves), file_type=pyedflib.FILETYPE_BDF
    ) as file:
        for k, label in enumerate(waves):
            top = {"Status": 8388607, "Resp": 1000, "Temp": 100}.get(label, 10)
            header: dict[str, str | int | float | None] = {"label": label, "dimension": ""}
            header |= {"physical_max": top, "physical_min": -top - (label == "Status")}
            header |= {"digital_max": 8388607, "digital_min": -8388608, "sample_frequency": 256}
            file.setSignalHeader(k, header | {"prefilter": "", "transducer": ""})
        file.writeSamples([np.asarray(wave, dtype=float) for wave in waves.values()])

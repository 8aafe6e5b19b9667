"""FAKES: name of a data set -> function that writes a small fake of it and returns its folder.

A fake has the data set's real layout, seconds of content and at least two people. Each recording
has its own heart rate (`shared.rate_of`), so a reader that mixes up people, trials or clips is
detected; every other channel beats at `shared.DECOY_BPM`, so a reader of the wrong channel is, too.
Names, rates and columns are written as literals: a reader's constant would repeat its mistake.
Each function ends with ``return write_truth(folder, {recording.name: {kind: bpm}})``, which names
each bvp, ecg, rppg or rr signal of each recording and nothing else.
"""

from collections.abc import Callable
from pathlib import Path

from tests.datasets.fakes import (
    amigos,
    ascertain,
    bp4d,
    case,
    ceap,
    cogwear,
    cohface,
    dalia,
    deap,
    dreamer,
    emognition,
    folder,
    hku956,
    ibvp,
    kemocon,
    lgi_ppgi,
    mahnob,
    mcd_rppg,
    mmpd,
    monkey_faces,
    popane,
    pure,
    scamps,
    stress_exercise,
    stress_predict,
    synthetic,
    ubfc_phys,
    ubfc_rppg,
    vipl_hr,
    welltory,
    wesad,
)

FAKES: dict[str, Callable[..., Path]] = {
    "amigos": amigos.write,
    "ascertain": ascertain.write,
    "bp4d-plus": bp4d.write,
    "case": case.write,
    "ceap-360vr": ceap.write,
    "cogwear": cogwear.write,
    "cogwear-samsung": cogwear.write_samsung,
    "cohface": cohface.write,
    "deap": deap.write,
    "dreamer": dreamer.write,
    "emognition": emognition.write,
    "folder": folder.write,
    "hku956": hku956.write,
    "ibvp": ibvp.write,
    "k-emocon": kemocon.write,
    "lgi-ppgi": lgi_ppgi.write,
    "mahnob-hci": mahnob.write,
    "mcd-rppg": mcd_rppg.write,
    "mmpd": mmpd.write,
    "monkey-faces": monkey_faces.write,
    "popane": popane.write,
    "ppg-dalia": dalia.write,
    "pure": pure.write,
    "scamps": scamps.write,
    "stress-exercise": stress_exercise.write,
    "stress-predict": stress_predict.write,
    "synthetic": synthetic.write,
    "ubfc-phys": ubfc_phys.write,
    "ubfc-rppg": ubfc_rppg.write,
    "vipl-hr": vipl_hr.write,
    "welltory": welltory.write,
    "wesad": wesad.write,
}

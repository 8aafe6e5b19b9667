"""Readers of data sets: DATASETS maps each name to its reader class, `find` looks one up.

Iterating over a reader yields lazy Recordings in a fixed order.
"""

from typing import Any

from emotion_rppg.datasets.amigos import Amigos
from emotion_rppg.datasets.ascertain import Ascertain
from emotion_rppg.datasets.bp4d import Bp4dPlus
from emotion_rppg.datasets.case import Case
from emotion_rppg.datasets.ceap import Ceap360VR
from emotion_rppg.datasets.cogwear import CogWear, CogWearSamsung
from emotion_rppg.datasets.cohface import Cohface
from emotion_rppg.datasets.dalia import PpgDalia
from emotion_rppg.datasets.deap import Deap
from emotion_rppg.datasets.dreamer import Dreamer
from emotion_rppg.datasets.emognition import Emognition
from emotion_rppg.datasets.folder import Folder
from emotion_rppg.datasets.hku956 import Hku956
from emotion_rppg.datasets.ibvp import Ibvp
from emotion_rppg.datasets.kemocon import KEmoCon
from emotion_rppg.datasets.lgi_ppgi import LgiPpgi
from emotion_rppg.datasets.mahnob import MahnobHci
from emotion_rppg.datasets.mcd_rppg import McdRppg
from emotion_rppg.datasets.mmpd import Mmpd
from emotion_rppg.datasets.monkey_faces import MonkeyFaces
from emotion_rppg.datasets.popane import Popane
from emotion_rppg.datasets.pure import Pure
from emotion_rppg.datasets.scamps import Scamps
from emotion_rppg.datasets.stress_exercise import StressExercise
from emotion_rppg.datasets.stress_predict import StressPredict
from emotion_rppg.datasets.synthetic import Synthetic
from emotion_rppg.datasets.ubfc_phys import UbfcPhys
from emotion_rppg.datasets.ubfc_rppg import UbfcRppg
from emotion_rppg.datasets.vipl_hr import ViplHr
from emotion_rppg.datasets.welltory import Welltory
from emotion_rppg.datasets.wesad import Wesad
from emotion_rppg.errors import InputError

DATASETS: dict[str, Any] = {
    "amigos": Amigos,
    "ascertain": Ascertain,
    "bp4d-plus": Bp4dPlus,
    "case": Case,
    "ceap-360vr": Ceap360VR,
    "cogwear": CogWear,
    "cogwear-samsung": CogWearSamsung,
    "cohface": Cohface,
    "deap": Deap,
    "dreamer": Dreamer,
    "emognition": Emognition,
    "folder": Folder,
    "hku956": Hku956,
    "ibvp": Ibvp,
    "k-emocon": KEmoCon,
    "lgi-ppgi": LgiPpgi,
    "mahnob-hci": MahnobHci,
    "mcd-rppg": McdRppg,
    "mmpd": Mmpd,
    "monkey-faces": MonkeyFaces,
    "popane": Popane,
    "ppg-dalia": PpgDalia,
    "pure": Pure,
    "scamps": Scamps,
    "stress-exercise": StressExercise,
    "stress-predict": StressPredict,
    "synthetic": Synthetic,
    "ubfc-phys": UbfcPhys,
    "ubfc-rppg": UbfcRppg,
    "vipl-hr": ViplHr,
    "welltory": Welltory,
    "wesad": Wesad,
}


def find(name: str) -> Any:
    """Return the reader class of a data set by its name.

    Raises
    ------
    InputError
        No data set has this name; the message lists all names.
    """
    if name not in DATASETS:
        raise InputError(f"unknown data set {name!r}; known: {', '.join(sorted(DATASETS))}")
    return DATASETS[name]

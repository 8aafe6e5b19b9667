"""DATASETS: name -> class; iterating one yields lazy Recordings in a fixed order."""

from typing import Any

from emotion_rppg.datasets.deap import Deap
from emotion_rppg.datasets.folder import Folder
from emotion_rppg.datasets.stress_predict import StressPredict
from emotion_rppg.datasets.synthetic import Synthetic
from emotion_rppg.datasets.wesad import Wesad

DATASETS: dict[str, Any] = {
    "deap": Deap,
    "folder": Folder,
    "stress-predict": StressPredict,
    "synthetic": Synthetic,
    "wesad": Wesad,
}

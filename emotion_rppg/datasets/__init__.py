"""DATASETS: name -> class; iterating one yields lazy Recordings in a fixed order."""

from emotion_rppg.datasets.folder import Folder
from emotion_rppg.datasets.stress_predict import StressPredict
from emotion_rppg.datasets.synthetic import Synthetic

DATASETS = {
    "folder": Folder,
    "stress-predict": StressPredict,
    "synthetic": Synthetic,
}

"""Interval files of real devices have the heart rate of their own summary or annotations."""

from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.intervals import accept_intervals
from emotion_rppg.features.hrv import table
from emotion_rppg.formats.rr_intervals import has_intervals, read_intervals

RATES = {  # bpm: 60,000 over the mean of the list, or from the device's or program's own summary
    "devices/polar_hrm/exercise_rri.hrm": 96.4,
    "devices/polar_hrm/noisy_rri.hrm": 89.4,
    "devices/polar_hrm/real_rri.txt": 50.5,
    "devices/polar_hrm/rest_rri.txt": 56.7,
    "devices/polar_hrm/rri_multiple_columns_datetime.csv": 75.0,
    "devices/polar_hrm/rri_semicolon.csv": 75.0,
    "devices/flirt/holter/holter.txt": 62.7,
    "devices/flirt/garmin/data.csv": 66.1,
    "devices/flirt/empatica/IBI.csv": 55.6,
    "devices/biobss_polar/Polar_Sense_PPI.txt": 52.0,
    "devices/pyhrv/SampleNNISeriesLong.npy": 78.1,
    "devices/pyhrv/SampleNNISeriesShort.npy": 67.5,
    "devices/biosppy/rri.txt": 96.3,
    "devices/devicely/Empatica_test_data/test_data_read/IBI.csv": 65.0,
    "welltory/subject_01/RR.txt": 54.5,
    "wesad/S2/S2_E4_Data/IBI.csv": 70.2,
}
REFUSED = {
    "devices/heartpy/118e00_ann.csv": "beat times or sample numbers, not intervals",
    "devices/devicely/Faros_test_data/testdir_read/HRV.csv": "median value is 0",
    "devices/biobss_polar/Polar_Sense_HR.txt": "none is named as intervals",
    "devices/polar_hrm/LICENSE.md": "want",
}


def found(real_data: Path, name: str) -> Path:
    if not (real_data / name).is_file():
        pytest.skip(f"no {name} in the folder of real recordings")
    return real_data / name


@pytest.mark.parametrize("name", RATES)
def test_the_heart_rate_is_that_of_the_device(name, real_data) -> None:
    path = found(real_data, name)
    beats = accept_intervals(read_intervals(path))
    assert 60e3 / beats.intervals_ms.mean() == pytest.approx(RATES[name], rel=0.01)
    assert path.suffix == ".npy" or has_intervals(path)


@pytest.mark.parametrize("name", REFUSED)
def test_another_file_is_refused_with_the_reason(name, real_data) -> None:
    with pytest.raises(InputError, match=REFUSED[name]):
        read_intervals(found(real_data, name))


def test_annotations_give_the_variability_of_their_normal_beats(real_data) -> None:
    wfdb = pytest.importorskip("wfdb")
    path = found(real_data, "devices/physionet/100.atr")
    row = table([accept_intervals(read_intervals(path))]).iloc[0]
    marks = wfdb.rdann(str(path.with_suffix("")), "atr")
    beat = np.isin(marks.symbol, ["N", "A", "V"])
    times, normal = marks.sample[beat] / 360, np.array(marks.symbol)[beat] == "N"
    ibi, nn = 1e3 * np.diff(times), normal[1:] & normal[:-1]
    assert row["hr_bpm"] == pytest.approx(60e3 / ibi.mean(), abs=0.01)
    assert row["sdnn_ms"] == pytest.approx(np.std(ibi[nn], ddof=1), rel=1e-6)
    rmssd = np.sqrt(np.mean(np.diff(ibi)[nn[1:] & nn[:-1]] ** 2))
    assert row["rmssd_ms"] == pytest.approx(rmssd, rel=1e-6)
    assert row["ectopic_share"] == pytest.approx(34 / 2273)

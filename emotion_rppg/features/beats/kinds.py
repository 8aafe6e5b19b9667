"""KINDS: signal kind -> how its beats are detected, judged and trusted."""

from __future__ import annotations

from emotion_rppg.features.beats.detect import of_camera, of_contact, of_ecg
from emotion_rppg.features.beats.signal_kind import SignalKind
from emotion_rppg.signal_quality import LEAST_QUALITY

# least_confidence: tops of noise are alike by choice. least_of_three: a burst of motion moves a
# camera's beats. least_ms: a pulse's travel time (five minutes of finger PPG and ECG of one person
# at rest show 3 ms), an R peak's place. shares: with them 150 windows of a wrist's PPG against the
# intervals of its device, and camera waves of 22 people against a contact sensor, lie within two
# standard errors in nine of ten cases.
KINDS: dict[str, SignalKind] = {
    "rppg": SignalKind(
        detect=of_camera,
        min_quality=LEAST_QUALITY,
        least_confidence=0.6,
        least_of_three=0.6,
        least_ms=3.0,
        shares=(0.004, 0.05, 0.1),
        camera=True,
        denoised=True,
        description="Beats of camera waves are counted by the wave's phase and timed by its shape "
        "over the complete beat.",
    ),
    "bvp": SignalKind(
        detect=of_contact,
        min_quality=0.3,
        least_confidence=0.7,
        least_ms=4.0,
        shares=(0.004, 0.07, 0.12),
        shape=True,
        description="Beats of contact pulse waves are timed by the shape of their rise, in a "
        "frequency band that follows the heart rate.",
    ),
    "ecg": SignalKind(
        detect=of_ecg,
        min_quality=0.5,
        least_confidence=0.5,
        least_ms=1.5,
        shares=(0.001, 0.01, 0.01),
        pulse_wave=False,
        description="Beats of ECGs are R peaks on which two of three detectors agree, two of them "
        "from NeuroKit2 (Makowski et al. 2021).",
    ),
}

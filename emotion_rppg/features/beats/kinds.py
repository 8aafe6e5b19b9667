"""``KINDS``: the signal kinds with beats, each with its detector and limits (`SignalKind`)."""

from __future__ import annotations

from emotion_rppg.features.beats.detect import camera_beats, contact_beats, ecg_beats
from emotion_rppg.features.beats.signal_kind import SignalKind
from emotion_rppg.signal_quality import LEAST_QUALITY

# least_confidence: peaks selected from noise are similar to each other, so the limit is above 0.
# least_of_three: a burst of motion shifts a few beats of a camera. least_ms: variation of the pulse
# transit time (3 ms in five minutes of finger PPG and ECG of one person at rest), or error of the
# position of an R peak. shares: set so that in nine of ten cases the true value lies within two
# standard errors, in 150 windows of a wrist PPG against the intervals of its device and in camera
# waves of 22 people against a contact sensor.
KINDS: dict[str, SignalKind] = {
    "rppg": SignalKind(
        detect=camera_beats,
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
        detect=contact_beats,
        min_quality=0.3,
        least_confidence=0.7,
        least_ms=4.0,
        shares=(0.004, 0.07, 0.12),
        shape=True,
        description="Beats of contact pulse waves are timed by the shape of their rise, in a "
        "frequency band that follows the heart rate.",
    ),
    "ecg": SignalKind(
        detect=ecg_beats,
        min_quality=0.5,
        least_confidence=0.5,
        least_ms=1.5,
        shares=(0.001, 0.01, 0.01),
        pulse_wave=False,
        description="Beats of ECGs are R peaks on which two of three detectors agree, two of them "
        "from NeuroKit2 (Makowski et al. 2021), and whose shape or rhythm repeats around them.",
    ),
    # intervals of a device, without a wave: their quality is the share of time that they cover
    "rr": SignalKind(
        detect=None,
        min_quality=0.5,
        least_confidence=0.0,
        least_ms=1.5,
        shares=(0.001, 0.01, 0.01),
        pulse_wave=False,
        description="Inter-beat intervals were measured by a device and read from its file; "
        "artefacts were excluded and ectopic beats marked by the rhythm, or by the file's labels.",
    ),
}


def wave_kinds() -> list[str]:
    """List the kinds that are waves, in which beats are detected."""
    return [name for name, kind in KINDS.items() if kind.detect is not None]

"""Read a pulse wave from face crops with a trained network."""

from emotion_rppg.pulse.inference.trained_network import (
    SIZE,
    Network,
    load_network,
    waveform_from_clip,
)

__all__ = ["SIZE", "Network", "load_network", "waveform_from_clip"]

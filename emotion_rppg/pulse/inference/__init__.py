"""Read a pulse wave from face pictures by a trained network."""

from emotion_rppg.pulse.inference.trained_network import (
    SIZE,
    Network,
    load_network,
    waveform_from_clip,
)

__all__ = ["SIZE", "Network", "load_network", "waveform_from_clip"]

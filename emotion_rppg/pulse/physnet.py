"""Export PhysNet under its public name: `emotion_rppg.pulse.physnet.PhysNet`, `load_public`."""

from emotion_rppg.pulse.networks.physnet import PhysNet, load_public

__all__ = ["PhysNet", "load_public"]

"""The table of pulse networks. Apart from the package's front, because it needs torch."""

from emotion_rppg.pulse.physnet import PhysNet

NETWORKS = {
    "physnet": PhysNet,
}

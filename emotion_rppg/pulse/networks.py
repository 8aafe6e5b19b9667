"""The table of pulse networks. Apart from the package's front, because it needs torch."""

from __future__ import annotations

from typing import Any

from emotion_rppg.pulse.physnet import PhysNet
from emotion_rppg.pulse.rivals import (
    CNN2DLSTM,
    CNN2DRNN,
    CNN3D,
    CNN2DBiLSTM,
    CNN2DConvLSTM,
    CNN3DDilated,
)

NETWORKS: dict[str, Any] = {
    "physnet": PhysNet,
    "cnn3d": CNN3D,
    "cnn3d_dilated": CNN3DDilated,
    "cnn2d_rnn": CNN2DRNN,
    "cnn2d_lstm": CNN2DLSTM,
    "cnn2d_bilstm": CNN2DBiLSTM,
    "cnn2d_convlstm": CNN2DConvLSTM,
}

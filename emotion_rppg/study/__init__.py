"""Connect the stages: recordings → feature table → fitted model → predictions."""

from emotion_rppg.extraction import Extraction, extraction_of
from emotion_rppg.study.acquisition import (
    Progress,
    Reading,
    as_recordings,
    method_name,
    wave_inputs,
    waves,
)
from emotion_rppg.study.event_curves import event_curves, read_curves
from emotion_rppg.study.feature_rows import features_of, order_columns
from emotion_rppg.study.feature_table import extract, failure_message, or_failure_reason
from emotion_rppg.study.long_table import long_table
from emotion_rppg.study.models import fit, load, predict, pretrain_encoder
from emotion_rppg.study.replay import (
    beats_like,
    channel_like,
    read_all_like,
    read_like,
    read_people_like,
    recordings_like,
)

__all__ = [
    "Extraction",
    "Progress",
    "Reading",
    "as_recordings",
    "beats_like",
    "channel_like",
    "event_curves",
    "extract",
    "extraction_of",
    "failure_message",
    "features_of",
    "fit",
    "load",
    "long_table",
    "method_name",
    "or_failure_reason",
    "order_columns",
    "predict",
    "pretrain_encoder",
    "read_all_like",
    "read_curves",
    "read_like",
    "read_people_like",
    "recordings_like",
    "wave_inputs",
    "waves",
]

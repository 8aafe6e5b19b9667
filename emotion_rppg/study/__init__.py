"""Where the stages are joined: recordings → feature table → fitted model → predictions."""

from emotion_rppg.extraction import Extraction, extraction_of
from emotion_rppg.study.acquisition import (
    Progress,
    Reading,
    as_recordings,
    method_name,
    view,
    waves,
)
from emotion_rppg.study.feature_table import (
    all_failed,
    extract,
    features_of,
    or_failure_reason,
    ordered,
)
from emotion_rppg.study.models import fit, load, predict, pretrain_encoder
from emotion_rppg.study.replay import channel_like, read_all_like, read_like, recordings_like

__all__ = [
    "Extraction",
    "Progress",
    "Reading",
    "all_failed",
    "as_recordings",
    "channel_like",
    "extract",
    "extraction_of",
    "features_of",
    "fit",
    "load",
    "method_name",
    "or_failure_reason",
    "ordered",
    "predict",
    "pretrain_encoder",
    "read_all_like",
    "read_like",
    "recordings_like",
    "view",
    "waves",
]

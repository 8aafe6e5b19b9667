"""Deep heads on beat sequences: recurrent and convolutional encoders, and their pretraining."""

from emotion_rppg.emotion.deep.estimator import (
    MultiTaskHead,
    MultiTaskRegressor,
    SequenceHead,
    SequenceRegressor,
)

__all__ = ["MultiTaskHead", "MultiTaskRegressor", "SequenceHead", "SequenceRegressor"]

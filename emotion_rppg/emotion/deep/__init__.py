"""Deep heads: recurrent and convolutional encoders of beat sequences, and their pretraining."""

from emotion_rppg.emotion.deep.estimator import (
    MultiTaskHead,
    MultiTaskRegressor,
    SequenceHead,
    SequenceRegressor,
)

__all__ = ["MultiTaskHead", "MultiTaskRegressor", "SequenceHead", "SequenceRegressor"]

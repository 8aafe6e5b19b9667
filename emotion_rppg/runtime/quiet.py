"""Silence the warnings of one logger for a while."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def warnings_silenced(name: str) -> Iterator[None]:
    """Silence the warnings of one logger while the block runs."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def log_silenced(name: str) -> Iterator[None]:
    """Silence all messages of one logger, whose errors are raised as exceptions, for a while."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)

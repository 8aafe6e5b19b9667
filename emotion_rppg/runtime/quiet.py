"""Silence a logger, or a library, for a while."""

from __future__ import annotations

import logging
import warnings
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
    """Silence all messages of a library's logger while the block runs: its errors are raised.

    Its deprecation warnings are silent, too: only its authors can act on them.
    """
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(before)

"""Errors of training."""

from __future__ import annotations

from lakeshelf.errors import LakeshelfError


class TooLittleHistory(LakeshelfError):  # noqa: N818 - says why nothing is trained
    """Rows of too few weeks, or too few rows, to train and judge a model."""

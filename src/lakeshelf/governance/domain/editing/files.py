"""What a file can be of a dataset, in the words of the API and of commands."""

from __future__ import annotations

from typing import Literal

Mode = Literal["upsert", "append", "replace"]
"""Rows change by key; are new; or are all that there are, so that absent keys are deleted."""
Format = Literal["csv", "xlsx", "parquet"]
"""Formats that datasets are exported as."""

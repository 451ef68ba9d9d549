"""Versions from elsewhere: looked through, tried, and then candidates like any other."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from lakeshelf.forecast.versions import folders, sandbox
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.forecast.versions.places import LocalVersion


def tried(
    source: Path, rows: pa.Table, predictor: sandbox.Predictor, limits: sandbox.Limits | None = None
) -> Version:
    """A version from a folder of any name, after it forecast rows.

    `folders.write` puts it into the lake, with the gates that it passed here.

    Args:
        source: The folder, as it was handed over.
        rows: Rows of this lake that it has to forecast.
        predictor: What makes a model forecast.
        limits: What the attempt may use.

    Raises:
        VersionDamaged: It is no version of ours, or not whole.
        TrialRefused: It died, took too long, or forecast what cannot be.
        StorageError: It cannot be read.
    """
    version = folders.read(LocalVersion(source))
    sandbox.forecast(version.trained, rows, predictor, limits)
    return version

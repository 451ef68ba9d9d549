"""Errors of ingestion; a file or row that is refused is data, an error only inside.

LakeError
├── TransitionRefused   a change of state that the manifest does not allow      ValueError
├── FileRefused         a file that cannot be loaded: header, encoding, damage  ValueError
└── DeclarationError    a `_dataset.toml` or `_dataset.json` that cannot be     ValueError
"""

from __future__ import annotations

from lakeshelf.errors import LakeError


class TransitionRefused(LakeError, ValueError):  # noqa: N818 - says what happened, as the lake's do
    """A change of state that the manifest does not allow."""


class FileRefused(LakeError, ValueError):  # noqa: N818 - says what happened, as the lake's do
    """A file that cannot be loaded at all; becomes its error in the manifest."""


class DeclarationError(LakeError, ValueError):
    """A declaration of a dataset that cannot be."""

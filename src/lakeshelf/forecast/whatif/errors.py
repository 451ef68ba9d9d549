"""What cannot be replayed."""

from __future__ import annotations

from lakeshelf.errors import ConfigurationError


class NoReceipts(ConfigurationError):  # noqa: N818 - says what is missing
    """A span of days, or stores, without a single unit sold."""


class UnknownField(ConfigurationError):  # noqa: N818 - says what is refused
    """A name that is no field of a policy, or one that changes no order."""


class OutOfBounds(ConfigurationError):  # noqa: N818 - says what is refused
    """A value that its field may not have."""

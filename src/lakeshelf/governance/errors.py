"""Refusals of governed datasets: a code each, the HTTP status that goes with it, and what is known of the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakeshelf.errors import LakeshelfError

CODES: Mapping[str, int] = {
    "already_submitted": 409,
    "approvals_missing": 409,
    "author_approves": 403,
    "body_too_large": 413,
    "comment_required": 422,
    "conflicts": 409,
    "content_changed": 409,
    "count_doubted": 409,
    "csrf_refused": 403,
    "dataset_busy": 503,
    "definition_invalid": 422,
    "deletes_not_allowed": 422,
    "edits_too_large": 413,
    "exists": 409,
    "forbidden": 403,
    "gone": 410,
    "host_refused": 421,
    "idempotency_mismatch": 422,
    "internal": 500,
    "key_invalid": 422,
    "last_owner": 409,
    "method_not_allowed": 405,
    "name_invalid": 422,
    "not_found": 404,
    "nothing_changed": 422,
    "origin_refused": 403,
    "policy_unmeetable": 422,
    "not_bound": 409,
    "publication_stopped": 409,
    "query_refused": 422,
    "query_too_large": 422,
    "query_too_long": 422,
    "rate_limited": 429,
    "request_invalid": 422,
    "row_not_found": 422,
    "service_unavailable": 503,
    "state_changed": 409,
    "storage_unavailable": 503,
    "transition_refused": 409,
    "unauthenticated": 401,
    "upload_invalid": 422,
    "validator_unavailable": 503,
    "value_invalid": 422,
    "violations": 422,
    "warnings_unacknowledged": 409,
    "webhook_refused": 422,
}
"""Code of a refusal → HTTP status."""


class GovernanceError(LakeshelfError):
    """A request on governed datasets that is refused or cannot be served.

    Attributes:
        code: One of `CODES`.
        details: What a program needs to know of the case, as JSON.
    """

    def __init__(
        self, code: str, message: str, *, hint: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.details = dict(details or {})

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code]


def refused(code: str, message: str, *, hint: str = "", **details: Any) -> GovernanceError:
    """The error of a refusal.

    Args:
        code: One of `CODES`.
        message: What was refused, with its value.
        hint: What to do next.
        details: What a program needs to know of the case.
    """
    return GovernanceError(code, message, hint=hint, details=details)

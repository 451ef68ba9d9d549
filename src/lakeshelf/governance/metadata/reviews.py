"""What people say of change requests: reviews and comments."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from lakeshelf.governance.domain.requests.approvals import Approval
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.requests import REQUESTS
from lakeshelf.governance.metadata.tables.reviews import COMMENTS, REVIEWS, Comment, Review


class Reviews:
    """Reviews and comments."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def give(self, review: Review) -> Review:
        """A review with the next number of its change request; earlier ones of its giver count no longer.

        Raises:
            GovernanceError: `not_found`; `content_changed`: another content is under review.
        """
        key = {"project": review.project, "number": review.request}
        now = REQUESTS.get(self._connection, **key)
        if (now.revision, now.content_hash) != (review.revision, review.content_hash):
            raise refused(
                "content_changed",
                f"CR {review.request} of {review.project} is not what was seen: revision {now.revision} has "
                f"content {now.content_hash or 'none'}",
                hint="look at what has changed since",
                revision=now.revision,
                content_hash=now.content_hash,
            )
        self.make_stale(
            review.project,
            review.request,
            at=review.reviewed_at,
            reason="reviewed again",
            user=review.user,
        )
        number = REVIEWS.next(self._connection, "number", _of(review.project, review.request))
        return REVIEWS.add(self._connection, replace(review, number=number))

    def all(self, project: str, request: int) -> list[Review]:
        """Reviews of a change request, also stale ones, the oldest first."""
        return REVIEWS.all(self._connection, _of(project, request))

    def standing(self, project: str, request: int) -> list[Review]:
        """Reviews of a change request that still count, at most one of each giver."""
        where = [*_of(project, request), REVIEWS.c.stale_at.is_(None)]
        return REVIEWS.all(self._connection, where)

    def approvals(self, project: str, request: int) -> list[Approval]:
        """Approvals that are not stale, as they are judged; the oldest first."""
        return [
            Approval(review.user, review.revision, review.content_hash, review.definition_version)
            for review in self.standing(project, request)
            if review.decision == "approve"
        ]

    def make_stale(
        self, project: str, request: int, *, at: datetime, reason: str, user: str | None = None
    ) -> int:
        """Let reviews of a change request, or those of a user, count no longer; how many these were."""
        where = [*_of(project, request), REVIEWS.c.stale_at.is_(None)]
        if user is not None:
            where.append(REVIEWS.c.user == user)
        return REVIEWS.change(self._connection, where, stale_at=at, stale_reason=reason)

    def say(self, comment: Comment) -> Comment:
        """A new comment.

        Raises:
            GovernanceError: `not_found`: what it answers is no comment of the change request.
        """
        if comment.reply_to is not None:
            key = {"project": comment.project, "request": comment.request, "id": comment.reply_to}
            COMMENTS.get(self._connection, **key)
        return COMMENTS.add(self._connection, comment)

    def comment(self, project: str, request: int, comment: str) -> Comment:
        """A comment.

        Raises:
            GovernanceError: `not_found`.
        """
        return COMMENTS.get(self._connection, project=project, request=request, id=comment)

    def comments(self, project: str, request: int) -> list[Comment]:
        """Comments on a change request, the oldest first."""
        where = [COMMENTS.c.project == project, COMMENTS.c.request == request]
        order = [COMMENTS.c.created_at, COMMENTS.c.id]
        return COMMENTS.all(self._connection, where, order=order)

    def settle(self, comment: Comment, user: str, at: datetime) -> Comment:
        """Call what a comment asks for done."""
        return self._changed(comment, resolved_by=user, resolved_at=at)

    def unsettle(self, comment: Comment) -> Comment:
        """Call it open again."""
        return self._changed(comment, resolved_by=None, resolved_at=None)

    def _changed(self, comment: Comment, **values: Any) -> Comment:
        COMMENTS.change(self._connection, [COMMENTS.is_(comment)], **values)
        return COMMENTS.get(self._connection, id=comment.id)


def _of(project: str, request: int) -> list[Any]:
    return [REVIEWS.c.project == project, REVIEWS.c.request == request]

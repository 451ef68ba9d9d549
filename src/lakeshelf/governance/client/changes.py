"""Sessions and change requests, each with what can be done with it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lakeshelf.governance.client.calls import Calls, Json, many, one, part, refusal_of

if TYPE_CHECKING:
    from lakeshelf.governance.client.resources import Dataset, Project

Cell = tuple[str, str | None]
Choice = Literal["keep_main", "take_staged", "rebase"]


@dataclass(frozen=True)
class Session:
    """A live session on a dataset."""

    calls: Calls
    dataset: Dataset
    id: str

    @property
    def path(self) -> str:
        """Its path."""
        return f"/live_sessions/{part(self.id)}"

    def get(self) -> Json:
        """How many edits it has, and what it began with."""
        return one(self.calls.get(self.path))

    def set(self, row_id: str, column: str, value: Any) -> Json:
        """Set a cell; raises the `GovernanceError` of a refusal."""
        return self._taken({"op": "set", "row_id": row_id, "column": column, "value": value})

    def insert(self, row_id: str, cells: Mapping[str, Any]) -> Json:
        """Insert a row, `new:<n>` as its id where the server makes the keys; raises as `set` does."""
        return self._taken({"op": "insert", "row_id": row_id, "value": dict(cells)})

    def remove(self, row_id: str) -> Json:
        """Delete a row; raises the `GovernanceError` of a refusal."""
        return self._taken({"op": "delete", "row_id": row_id})

    def edit(self, edits: Iterable[Mapping[str, Any]]) -> Json:
        """Take edits together; the answer tells of each, also of refusals: `edits`, `refusals`, `findings`, `made`.

        Args:
            edits: Each with `op`, `row_id`, and `column` and `value` where it has them; `edit_id` is made if it lacks.
        """
        named = [{"edit_id": uuid.uuid4().hex, **edit} for edit in edits]
        return one(self.calls.post(f"{self.path}/edits", {"edits": named}))

    def _taken(self, edit: Mapping[str, Any]) -> Json:
        answer = self.edit([edit])
        for refusal in answer["refusals"]:
            raise refusal_of(refusal["error"])
        return answer

    def undo(self, edit_ids: Sequence[str]) -> Json:
        """Take edits back."""
        return one(self.calls.post(f"{self.path}/undo", {"edit_ids": list(edit_ids)}))

    def preview(self) -> Json:
        """What its edits would do to the dataset as it is now."""
        return one(self.calls.get(f"{self.path}/preview"))

    def effect(self) -> list[Json]:
        """What its edits would do to the shelves, one a location whose jobs obey the dataset."""
        return many(self.calls.get(f"{self.path}/effect"))

    def submit(
        self, title: str, description: str = "", *, merge_when_approved: bool = False
    ) -> Request:
        """Turn it into a change request under review."""
        body = {
            "title": title,
            "description": description,
            "merge_when_approved": merge_when_approved,
        }
        made = one(self.calls.post(f"{self.path}/submit", body))
        return Request(self.calls, self.dataset.project, made["number"])

    def discard(self) -> None:
        """End it without a trace."""
        self.calls.delete(self.path)


@dataclass(frozen=True)
class Request:
    """A change request.

    Approvals, rejections and merges name the content that was seen: `get()["request"]["content_hash"]`.
    """

    calls: Calls
    project: Project
    number: int

    @property
    def path(self) -> str:
        """Its path."""
        return f"{self.project.path}/change_requests/{self.number}"

    def get(self) -> Json:
        """The `request`, its counts and mark, and what the user `can` do with it."""
        return one(self.calls.get(self.path))

    def diff(self, offset: int = 0, limit: int = 200, **chosen: str) -> Json:
        """What it changes, conflicts first, or of it what is `chosen`: `op`, `in_column`, `only`, `sort`."""
        return one(self.calls.get(f"{self.path}/diff", offset=offset, limit=limit, **chosen))

    def dry_run(self) -> Json:
        """What its merge would do now."""
        return one(self.calls.get(f"{self.path}/dry_run"))

    def effect(self) -> list[Json]:
        """What its merge would do to the shelves, one a location whose jobs obey the dataset."""
        return many(self.calls.get(f"{self.path}/effect"))

    def outcome(self, offset: int = 0, limit: int = 200) -> Json:
        """What came of its merge: `counts` by state, `keys` and their `total`."""
        return one(self.calls.get(f"{self.path}/outcome", offset=offset, limit=limit))

    def take_up(self) -> Session:
        """A session with its edits, for its authors, after it was rejected; submitting that is the next revision."""
        opened = one(self.calls.post(f"{self.path}/edit"))
        return self.project.dataset(opened["dataset"]).session(opened["id"])

    def approve(
        self, content_hash: str, *, comment: str = "", acknowledged: Sequence[str] = ()
    ) -> Json:
        """Approve the content that was seen."""
        body = {
            "content_hash": content_hash,
            "comment": comment,
            "acknowledged": list(acknowledged),
        }
        return one(self.calls.post(f"{self.path}/approve", body))

    def reject(self, content_hash: str, comment: str) -> Json:
        """Reject it, and say why."""
        body = {"content_hash": content_hash, "comment": comment}
        return one(self.calls.post(f"{self.path}/reject", body))

    def reject_cells(self, content_hash: str, cells: Iterable[Cell], comment: str = "") -> Json:
        """Reject some cells, or rows (column None); the rest is a smaller revision."""
        named = [{"row_id": row_id, "column": column} for row_id, column in cells]
        body = {"content_hash": content_hash, "cells": named, "comment": comment}
        return one(self.calls.post(f"{self.path}/reject_cells", body))

    def withdraw(self) -> Json:
        """Take it back."""
        return one(self.calls.post(f"{self.path}/withdraw"))

    def merge(self, content_hash: str, *, force: bool = False) -> Json:
        """Merge it."""
        return one(
            self.calls.post(f"{self.path}/merge", {"content_hash": content_hash, "force": force})
        )

    def resolve(self, content_hash: str, choices: Mapping[Cell, Choice]) -> Json:
        """Settle conflicts; the result is a new revision.

        Args:
            content_hash: The content that was seen.
            choices: Cell, or row with column None → `keep_main`, `take_staged`, or `rebase`: as staged, for
                all of the row that is not settled otherwise.
        """
        named = [
            {"row_id": row_id, "column": column, "choice": choice}
            for (row_id, column), choice in choices.items()
        ]
        body = {"content_hash": content_hash, "resolutions": named}
        return one(self.calls.post(f"{self.path}/resolve", body))

    def revert(self, title: str = "") -> Request:
        """A change request that takes back what this one did."""
        made = one(self.calls.post(f"{self.path}/revert", {"title": title}))
        return Request(self.calls, self.project, made["number"])

    def validation(self) -> list[Json]:
        """Runs of the validation over it, the newest first."""
        return many(self.calls.get(f"{self.path}/validation"))

    def comments(self) -> Json:
        """`reviews` and `comments`."""
        return one(self.calls.get(f"{self.path}/comments"))

    def comment(self, body: str, *, row_id: str | None = None, column: str | None = None) -> Json:
        """Say something of it, of a row or of a cell."""
        remark = {"body": body, "row_id": row_id, "column": column}
        return one(self.calls.post(f"{self.path}/comments", remark))

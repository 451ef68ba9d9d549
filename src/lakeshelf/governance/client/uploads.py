"""Files on their way to a change request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lakeshelf.governance.client.calls import Calls, Json

LOAD_S = 1_800.0
"""How long a file may take to become a change request."""


@dataclass(frozen=True)
class Upload:
    """A file that was sent."""

    calls: Calls
    path: str

    def get(self) -> Json:
        """What it is, and how far it is."""
        answer: Json = self.calls.get(self.path)
        return answer

    def load(
        self,
        title: str = "",
        description: str = "",
        *,
        leave_out: bool = False,
        merge_when_approved: bool = False,
        dry_run: bool = False,
        declared: Sequence[str] = (),
    ) -> Json:
        """Make a change request of it: the `upload`, and the `request`, None where there is none.

        Args:
            title: Of the change request; empty: the name of the file.
            description: Of the change request.
            leave_out: Take the rest where rows are refused.
            merge_when_approved: Whether it merges by itself.
            dry_run: Only say what it would do, in the report of the upload.
            declared: How its text is written, where it is not as usual: lines such as `delimiter = ";"`.
        """
        body = {
            "title": title,
            "description": description,
            "leave_out": leave_out,
            "merge_when_approved": merge_when_approved,
            "dry_run": dry_run,
            "declared": list(declared),
        }
        answer: Json = self.calls.post(f"{self.path}/load", body, LOAD_S)
        return answer

    def refusals(self, offset: int = 0, limit: int = 200) -> Json:
        """Cells that are refused, by line: `refusals`, `total`."""
        answer: Json = self.calls.get(f"{self.path}/refusals", offset=offset, limit=limit)
        return answer

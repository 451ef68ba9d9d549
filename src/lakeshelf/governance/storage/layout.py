"""Where everything of a governed dataset lies below the root of the lake (docs/design/governance.md#folders)."""

from __future__ import annotations

from dataclasses import dataclass

from lakeshelf.governance.domain.definition import checked_id
from lakeshelf.governance.errors import refused
from lakeshelf.lake.form.owners import GOVERNANCE
from lakeshelf.lake.place import projects
from lakeshelf.lake.place.location import Root

OWNER = GOVERNANCE
"""Owner of the canonical tables; it stands in their properties."""


@dataclass(frozen=True)
class Folder:
    """The folder of one dataset; every path of it is relative to the root of the lake.

    Attributes:
        root: Root of the lake.
        project: Id of the project.
        dataset: Id of the dataset in it.
    """

    root: Root
    project: str
    dataset: str

    def __post_init__(self) -> None:
        checked_id(self.project, "project")
        checked_id(self.dataset, "dataset")

    @property
    def name(self) -> str:
        """Name of the dataset in the library."""
        return f"{self.project}/{self.dataset}"

    @property
    def path(self) -> str:
        """The folder itself."""
        return projects.folder(self.name)

    @property
    def main(self) -> str:
        """The canonical table."""
        return projects.main(self.name)

    @property
    def cells(self) -> str:
        """The table of every cell that ever changed."""
        return f"{self.path}/audit/history/cells"

    def staging(self, number: int) -> str:
        """The table of what a change request changes."""
        return f"{self.path}/staging/{number}"

    def edits(self, session_id: str) -> str:
        """The table of the edits of a session."""
        return f"{self.path}/live_edit/{_hex(session_id)}/edits.delta"

    def session(self, session_id: str) -> str:
        """The folder of a session."""
        return f"{self.path}/live_edit/{_hex(session_id)}"

    def upload(self, upload_id: str) -> str:
        """The folder of an upload."""
        return f"{self.path}/imports/{_hex(upload_id)}"

    def request(self, number: int, revision: int) -> str:
        """The folder of the artefacts of a change request's revision."""
        return f"{self.path}/audit/change_requests/{number}/{revision}"

    def validation(self, run_id: str) -> str:
        """The folder of a validation run."""
        return f"{self.path}/audit/validation_runs/{_hex(run_id)}"

    def snapshot(self, name: str) -> str:
        """The table of a named snapshot."""
        return f"{self.path}/audit/snapshots/{checked_id(name, 'snapshot')}"


def _hex(value: str) -> str:
    """A random id, which is a name of a folder and nothing else."""
    if not value or value.strip("0123456789abcdef"):
        raise refused("name_invalid", f"{value[:80]!r} is no id of hexadecimal digits")
    return value

"""What others did to a table past the service, and its way into review."""

from __future__ import annotations

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, On, router
from lakeshelf.governance.api.routes.datasets import DATASET
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.changes import outside

routes = router("outside")


@routes.get(f"{DATASET}/outside")
def list_outside(
    context: On, caller: By, project: str, dataset: str
) -> list[answers.OutsideCommit]:
    """Commits that no change request made and none took up, the latest first; they stop the publication."""
    return [
        answers.OutsideCommit(
            version=one.version, committed_at=one.committed_at, operation=one.operation
        )
        for one in outside.commits_of_others(context, caller, project, dataset)
    ]


@routes.post(f"{DATASET}/outside", status_code=201)
def take_up_outside(
    context: On, caller: By, project: str, dataset: str, body: shapes.TakeUp
) -> ChangeRequest:
    """Propose to take up what they did, or to take it back; publication goes on once that is merged."""
    return outside.propose(
        context, caller, project, dataset, take_back=body.take_back, title=body.title
    )

"""Runs of the validation: what was judged, when, by which rules, and all that it found."""

from __future__ import annotations

from lakeshelf.governance.api.calling import By, Limit, Number, Offset, On, router
from lakeshelf.governance.api.routes.requests import ONE
from lakeshelf.governance.metadata.tables.work import ValidationRun
from lakeshelf.governance.services import runs

routes = router("validation")


@routes.get(f"{ONE}/validation")
def list_runs(context: On, caller: By, project: str, number: Number) -> list[ValidationRun]:
    """Runs over a change request, the newest first."""
    return runs.of_request(context, caller, project, number)


@routes.get("/projects/{project}/validation_runs/{run}")
def get_run(
    context: On, caller: By, project: str, run: str, offset: Offset = 0, limit: Limit = 200
) -> runs.Findings:
    """A run with its findings, by pages."""
    return runs.findings(context, caller, project, run, offset, limit)

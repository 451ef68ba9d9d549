"""Judgements that are kept: each with its summary and all of its findings, for whoever asks what was checked.

docs/design/governance.md#validation
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from lakeshelf.governance.domain.findings import ValidationReport
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.metadata.tables.work import ValidationRun
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.storage.files import read_json, write_json, write_list


@dataclass(frozen=True)
class Findings:
    """A page of what a run found.

    Attributes:
        run: The run.
        summary: Its report without the findings.
        findings: The findings of the page.
        total: How many there are.
    """

    run: ValidationRun
    summary: Mapping[str, Any]
    findings: tuple[Mapping[str, Any], ...]
    total: int


def keep(
    context: Context,
    request: ChangeRequest,
    report: ValidationReport,
    content_hash: str,
    main_version: int,
    began: datetime,
) -> ValidationRun:
    """Keep a judgement of a change request: the files first, then the record that names them.

    Args:
        context: What it stands on.
        request: What was judged.
        report: What was found.
        content_hash: Its content.
        main_version: Version of the table that it was judged in.
        began: When.
    """
    run = ValidationRun(
        context.new_id(),
        request.project,
        request.dataset,
        request.number,
        request.revision,
        None,
        report.point,
        report.definition,
        main_version,
        content_hash,
        not report.blocked,
        {str(severity): count for severity, count in report.introduced.items()},
        began,
        context.clock(),
    )
    folder = context.folder(run.project, run.dataset).validation(run.id)
    write_list(context.root, f"{folder}/full.json", (one.as_json() for one in report.findings))
    write_json(context.root, f"{folder}/summary.json", report.summary())
    with context.metadata.transaction() as tx:
        return tx.runs.add(run)


def of_request(context: Context, caller: Caller, project: str, number: int) -> list[ValidationRun]:
    """Runs over a change request, the newest first.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        tx.requests.get(project, number)
        return tx.runs.of_request(project, number)


def findings(
    context: Context, caller: Caller, project: str, run_id: str, offset: int, limit: int
) -> Findings:
    """What a run found.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        run = tx.runs.get(project, run_id)
    folder = context.folder(project, run.dataset).validation(run.id)
    every = read_json(context.root, f"{folder}/full.json")
    summary = read_json(context.root, f"{folder}/summary.json")
    return Findings(run, summary, tuple(islice(every, offset, offset + limit)), len(every))

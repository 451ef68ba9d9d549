"""A project with people, a dataset and change requests, for tests of what is remembered of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lakeshelf.contracts.types import LONG, Field
from lakeshelf.governance.domain.definition import Column, Definition, made_key
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Transaction
from lakeshelf.governance.metadata.tables.datasets import GovernedDataset
from lakeshelf.governance.metadata.tables.events import AuditEvent, Event
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.metadata.tables.projects import Membership, Project
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.metadata.tables.reviews import Review
from tests.governance.conftest import NOW

HOUR = timedelta(hours=1)
DEFINITION = Definition(1, (made_key(), Column(Field("units", LONG, "Units.", unit="units"))))
DATASET = GovernedDataset("retail", "wh_policies", "Policies", "Of warehouses.", 1, "ann", NOW)
DRAFT = ChangeRequest(
    project="retail",
    number=0,
    dataset="wh_policies",
    kind="edit",
    status="draft",
    title="Fewer units",
    description="",
    base_version=7,
    definition_version=1,
    origin={"session": "s1"},
    created_by="ben",
    created_at=NOW,
    updated_at=NOW,
    revision=1,
    content_hash="9f3c",
)
APPROVAL = Review("retail", 1, 0, 1, "9f3c", 1, "ann", "approve", "", (), (), NOW)
ACT = AuditEvent("retail", 0, NOW, "ann", "cr.approved", "", 1, "", {}, "", "")
EVENT = Event(0, "cr.approved", "retail", "wh_policies", 1, {}, NOW)


def open_shop(tx: Transaction) -> None:
    """Ann owns `retail`; ben and eight reviewers contribute; its dataset has a definition."""
    reviewers = [f"rev{number}" for number in range(8)]
    for name in ("ann", "ben", *reviewers):
        tx.people.add(User(name, "", admin=False, created_at=NOW))
    tx.projects.add(Project("retail", "Retail", "", "ann", NOW))
    for name in ("ben", *reviewers):
        tx.projects.set_role(Membership("retail", name, "contributor", "ann", NOW))
    tx.datasets.add(DATASET, DEFINITION)


def pending(tx: Transaction, **changes: Any) -> ChangeRequest:
    """A change request under review."""
    return tx.requests.add(replace(DRAFT, status="pending_review", **changes))


def code(act: Callable[[], object]) -> str:
    """Code of a refusal."""
    with pytest.raises(GovernanceError) as refused:
        act()
    return refused.value.code

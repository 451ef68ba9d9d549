"""The copy of the audit has each link once, and shows a chain that somebody changed, cut off or wrote anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.audit import BrokenLink
from lakeshelf.governance.services import auditing
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.storage.layout import OWNER
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake import Lake
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables
from tests.governance.metadata.shop import ACT
from tests.governance.metadata.test_audit import LINKS, without_triggers, written


@pytest.fixture
def acting(metadata: Metadata, tmp_path: Path) -> Context:
    """Services over two chains: five acts in `retail`, and one on users."""
    with metadata.transaction() as tx:
        written(tx)
        tx.audit.add(replace(ACT, project="", request=None, action="user.added"))
    return Context(metadata, Root.at(tmp_path / "lake"), Worker("/nowhere"))


def broken(context: Context) -> list[BrokenLink]:
    return list(auditing.broken(context.metadata, context.root))


def tampered(context: Context, statements: str) -> None:
    with context.metadata.transaction() as tx:
        without_triggers(tx, statements)


def test_each_link_is_copied_once_as_it_stands(
    acting: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "AT_ONCE", 2)
    assert auditing.mirror(acting) == LINKS + 1
    assert auditing.mirror(acting) == 0
    with acting.metadata.transaction() as tx:
        tx.audit.add(ACT)
    assert auditing.mirror(acting) == 1
    rows = tables.rows(acting.root, auditing.NAME).sort_by("number")
    with acting.metadata.reading() as tx:
        links = tx.audit.after("retail")
    copied = [row for row in rows.to_pylist() if row["project"] == "retail"]
    assert [(row["number"], row["hash"], row["user_id"]) for row in copied] == [
        (link.number, link.hash, link.user) for link in links
    ]
    assert broken(acting) == []


def test_what_is_not_copied_yet_is_no_difference(acting: Context) -> None:
    assert broken(acting) == []
    auditing.mirror(acting)
    with acting.metadata.transaction() as tx:
        tx.audit.add(ACT)
    assert broken(acting) == []


def test_a_link_that_was_changed_is_named(acting: Context) -> None:
    auditing.mirror(acting)
    tampered(acting, "UPDATE audit_event SET \"user\" = 'eve' WHERE number = 3")
    assert broken(acting) == [BrokenLink("retail", 3, "it was changed")]


@pytest.mark.parametrize("copied", [True, False])
def test_only_the_copy_shows_a_chain_that_was_cut_off(acting: Context, copied: bool) -> None:
    if copied:
        auditing.mirror(acting)
    tampered(acting, "DELETE FROM audit_event WHERE number > 3")
    expected = [BrokenLink("retail", 4, "the copy has it, and the database has not")]
    assert broken(acting) == (expected if copied else [])


@pytest.mark.parametrize("copied", [True, False])
def test_only_the_copy_shows_a_chain_that_was_written_anew(acting: Context, copied: bool) -> None:
    if copied:
        auditing.mirror(acting)
    with acting.metadata.transaction() as tx:
        without_triggers(tx, "DELETE FROM audit_event WHERE number > 3")
        tx.audit.add(replace(ACT, user="eve"))
    expected = [BrokenLink("retail", 4, "ops/governance_audit says something else")]
    assert broken(acting) == (expected if copied else [])


def test_a_copy_that_was_changed_is_named_with_its_first_event(acting: Context) -> None:
    auditing.mirror(acting)
    lake = Lake(acting.root, writer=OWNER)
    rows = tables.rows(acting.root, auditing.NAME).to_pylist()
    lake.overwrite(
        auditing.NAME, [row | ({"action": "x"} if row["number"] == 2 else {}) for row in rows]
    )
    assert broken(acting) == [BrokenLink("retail", 2, "ops/governance_audit says something else")]


def test_a_whole_chain_that_is_gone_is_named(acting: Context) -> None:
    auditing.mirror(acting)
    tampered(acting, "DELETE FROM audit_event WHERE project = ''")
    assert broken(acting) == [BrokenLink("", 1, "the copy has it, and the database has not")]

"""A change request goes from state to state once, and remembers who wrote, judged and said what."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from lakeshelf.governance.domain.requests.approvals import Approval
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.database import engines
from lakeshelf.governance.metadata.database.records import Records
from lakeshelf.governance.metadata.tables.requests import (
    RequestMark,
    Resolution,
    Reviewer,
    Revision,
)
from lakeshelf.governance.metadata.tables.reviews import Comment
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import APPROVAL, DRAFT, HOUR, code, open_shop, pending


@pytest.fixture
def shop(metadata: Metadata) -> Metadata:
    with metadata.transaction() as tx:
        open_shop(tx)
    return metadata


def test_change_requests_are_numbered_by_project_and_listed_the_newest_first(
    shop: Metadata,
) -> None:
    with shop.transaction() as tx:
        numbers = [tx.requests.add(replace(DRAFT, title=str(n))).number for n in range(3)]
        pending(tx, created_by="ann")
    assert numbers == [1, 2, 3]
    with shop.reading() as tx:
        assert [r.number for r in tx.requests.all("retail", limit=2)] == [4, 3]
        assert [r.number for r in tx.requests.all("retail", below=3)] == [2, 1]
        assert [r.number for r in tx.requests.all(statuses=["pending_review"])] == [4]
        assert [r.number for r in tx.requests.all("retail", "wh_policies", created_by="ann")] == [4]
        assert tx.requests.all("retail", "other") == []
        assert tx.requests.get("retail", 1) == replace(DRAFT, title="0", number=1)
        assert code(lambda: tx.requests.get("retail", 5)) == "not_found"


def test_who_saw_an_older_state_changes_nothing(shop: Metadata) -> None:
    with shop.transaction() as tx:
        seen = pending(tx)
        after = tx.requests.advance(seen, at=NOW + HOUR, status="rejected")
        assert after == replace(seen, status="rejected", updated_at=NOW + HOUR)
        with pytest.raises(GovernanceError, match="is rejected in revision 1") as refused:
            tx.requests.advance(seen, at=NOW, status="approved")
        assert refused.value.details == {"status": "rejected", "revision": 1}
        again = tx.requests.advance(after, at=NOW, status="pending_review", revision=2)
        assert code(lambda: tx.requests.advance(seen, at=NOW, status="approved")) == "state_changed"
        assert tx.requests.get("retail", 1) == again


def test_a_field_that_a_change_request_does_not_have_is_no_change(shop: Metadata) -> None:
    with shop.transaction() as tx:
        seen = pending(tx)
        with pytest.raises(TypeError, match="has no state"):
            tx.requests.advance(seen, at=NOW, state="approved")


def race(shop: Metadata, rounds: int) -> list[int]:
    """Eight threads see and then decide about each of some change requests; how many won each."""
    all_have_seen = Barrier(8)

    def decide(number: int, thread: int) -> bool:
        with shop.reading() as tx:
            seen = tx.requests.get("retail", number)
        all_have_seen.wait(60)
        name = f"rev{thread}"
        try:
            with shop.transaction() as tx:
                tx.requests.advance(seen, at=NOW, status="approved", merged_by=name)
                tx.record("cr.approved", user=name, at=NOW, project="retail", request=number)
        except GovernanceError as error:
            return error.code != "state_changed"
        return True

    with shop.transaction() as tx:
        numbers = [pending(tx).number for _ in range(rounds)]
    with ThreadPoolExecutor(8) as threads:
        return [sum(threads.map(decide, [number] * 8, range(8), timeout=300)) for number in numbers]


def test_of_eight_who_decide_at_once_one_wins_and_is_in_the_audit(shop: Metadata) -> None:
    assert race(shop, 10) == [1] * 10
    with shop.reading() as tx:
        audited = {act.request: act.user for act in tx.audit.after("retail")}
        assert len(tx.audit.after("retail")) == 10
        assert tx.audit.verify("retail") is None
        assert audited == {r.number: r.merged_by for r in tx.requests.all("retail")}


def test_without_the_comparison_all_would_win(
    shop: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = Records.change
    monkeypatch.setattr(
        Records, "change", lambda self, c, where, **v: change(self, c, where[:1], **v)
    )
    assert race(shop, 1) == [8]


def vote(shop: Metadata) -> int:
    """Two reviewers approve at once, each in its own thread; how many of them saw both approvals."""

    def approve(name: str) -> int:
        with shop.transaction() as tx:
            tx.reviews.give(replace(APPROVAL, user=name, request=1))
            return len(tx.reviews.standing("retail", 1))

    with ThreadPoolExecutor(8) as threads:
        return max(threads.map(approve, [f"rev{n}" for n in range(8)], timeout=300))


def vote_often(shop: Metadata) -> None:
    for _ in range(50):
        vote(shop)


def test_the_last_of_those_who_approve_at_once_sees_all_approvals(shop: Metadata) -> None:
    with shop.transaction() as tx:
        pending(tx)
    assert vote(shop) == 8


def test_without_the_lock_of_writers_approvals_given_at_once_would_be_in_each_others_way(
    database: Path | str, shop: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(database, Path):
        monkeypatch.setattr(engines, "_LOCKING", "BEGIN")
    else:
        monkeypatch.setattr(engines, "lock_writers", lambda connection: None)
    with shop.transaction() as tx:
        pending(tx)
    with pytest.raises(Exception, match=r"locked|duplicate"):
        vote_often(shop)


def test_a_review_is_of_the_content_that_was_seen(shop: Metadata) -> None:
    with shop.transaction() as tx:
        seen = pending(tx)
        tx.requests.advance(seen, at=NOW, content_hash="77aa")
        with pytest.raises(GovernanceError, match="has content 77aa") as refused:
            tx.reviews.give(APPROVAL)
        assert refused.value.code == "content_changed"
        stale = replace(APPROVAL, content_hash="77aa", revision=2)
        assert code(lambda: tx.reviews.give(stale)) == "content_changed"
        assert tx.reviews.all("retail", 1) == []


def test_a_reviewer_counts_once_and_stale_reviews_do_not(shop: Metadata) -> None:
    cells = (["S1", "units"], ["S2", "units"])
    with shop.transaction() as tx:
        pending(tx)
        first = tx.reviews.give(APPROVAL)
        second = tx.reviews.give(replace(APPROVAL, decision="reject_cells", cells=cells))
        other = tx.reviews.give(replace(APPROVAL, user="rev1", acknowledged=("fits",)))
        assert [first.number, second.number, other.number] == [1, 2, 3]
        assert tx.reviews.standing("retail", 1) == [second, other]
        assert tx.reviews.approvals("retail", 1) == [Approval("rev1", 1, "9f3c", 1)]
        assert tx.reviews.make_stale("retail", 1, at=NOW, reason="the content changed") == 2
        assert tx.reviews.standing("retail", 1) == []
        reasons = [review.stale_reason for review in tx.reviews.all("retail", 1)]
        assert reasons == ["reviewed again", "the content changed", "the content changed"]


def test_authors_stay_authors(shop: Metadata) -> None:
    with shop.transaction() as tx:
        pending(tx)
        tx.requests.add_authors("retail", 1, ["ben", "ann", "ben"], NOW)
        tx.requests.add_authors("retail", 1, ["ben"], NOW + HOUR)
        assert tx.requests.authors("retail", 1) == {"ann", "ben"}


def test_revisions_reviewers_marks_and_resolutions_are_kept(shop: Metadata) -> None:
    revision = Revision("retail", 1, 1, "9f3c", 7, 1, 1, 2, 3, 4, "ben", NOW)
    resolution = Resolution("retail", 1, "S1", "units", "rebase", {"value": 2**70}, 9, "ben", NOW)
    kept = replace(resolution, choice="keep_main", value={})
    with shop.transaction() as tx:
        pending(tx)
        tx.requests.add_revision(revision)
        assert tx.requests.revision("retail", 1, 1) == revision
        assert tx.requests.revisions("retail", 1) == [revision]
        tx.requests.ask(Reviewer("retail", 1, "rev1", "ben", NOW))
        assert tx.requests.reviewers("retail", 1) == {"rev1"}
        assert tx.requests.marked("retail", 1) is None
        for state in ("behind", "conflicting"):
            mark = tx.requests.mark(RequestMark("retail", 1, state, 9, 2, NOW))
        assert tx.requests.marked("retail", 1) == mark
        tx.requests.resolve(resolution)
        assert tx.requests.resolutions("retail", 1) == [resolution]
        tx.requests.resolve(kept)
        assert tx.requests.resolutions("retail", 1) == [kept]
        assert tx.requests.forget_resolutions("retail", 1) == 1


def test_silence_is_found(shop: Metadata) -> None:
    with shop.transaction() as tx:
        pending(tx, expires_at=NOW)
        pending(tx, expires_at=NOW + HOUR)
        assert [r.number for r in tx.requests.expired(["pending_review"], NOW)] == [1]
        assert tx.requests.expired(["draft"], NOW) == []


def test_comments_are_answered_and_settled(shop: Metadata) -> None:
    why = Comment("c1", "retail", 1, "S1", "units", None, "why 20? <b>", "ann", NOW)
    with shop.transaction() as tx:
        pending(tx)
        pending(tx)
        tx.reviews.say(why)
        answer = replace(why, id="c2", reply_to="c1", body="less is enough", user="ben")
        elsewhere = replace(answer, request=2)
        assert code(lambda: tx.reviews.say(elsewhere)) == "not_found"
        assert tx.reviews.say(answer) == answer
        assert tx.reviews.comments("retail", 1) == [why, answer]
        settled = tx.reviews.settle(why, "ben", NOW)
        assert (settled.resolved_by, settled.resolved_at) == ("ben", NOW)
        assert tx.reviews.unsettle(settled) == why
        assert code(lambda: tx.reviews.comment("retail", 2, "c1")) == "not_found"

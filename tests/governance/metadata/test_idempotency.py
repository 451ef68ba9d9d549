"""A call that is sent twice is served once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.idempotency import KEPT
from lakeshelf.governance.metadata.tables.work import Call
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import code

MINUTE = timedelta(minutes=1)
CALL = Call("ann", "POST /merge", "r1", "9f3c", None, None, NOW + MINUTE, NOW + KEPT)


def test_a_call_is_answered_as_it_was_the_first_time(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        assert tx.idempotency.begin(CALL, NOW) is None
        answered = tx.idempotency.answer(CALL, 200, {"version": 2**70})
        assert tx.idempotency.begin(CALL, NOW) == answered
        assert (answered.status, answered.answer) == (200, {"version": 2**70})


def test_a_key_belongs_to_one_body_of_a_user_and_a_route(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        tx.idempotency.begin(CALL, NOW)
        tx.idempotency.answer(CALL, 200, {})
        other = replace(CALL, body_hash="77aa")
        assert code(lambda: tx.idempotency.begin(other, NOW)) == "idempotency_mismatch"
        for change in ({"user": "ben"}, {"route": "POST /reject"}, {"key": "r2"}):
            assert tx.idempotency.begin(replace(other, **change), NOW) is None


def test_a_call_that_is_being_served_is_not_served_again_before_its_time(
    metadata: Metadata,
) -> None:
    later = replace(CALL, busy_until=NOW + 3 * MINUTE)
    with metadata.transaction() as tx:
        assert tx.idempotency.begin(CALL, NOW) is None
        assert code(lambda: tx.idempotency.begin(CALL, NOW)) == "dataset_busy"
        assert tx.idempotency.begin(later, NOW + MINUTE) is None
        assert code(lambda: tx.idempotency.begin(later, NOW + 2 * MINUTE)) == "dataset_busy"


def test_a_call_that_came_to_nothing_can_be_sent_again(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        tx.idempotency.begin(CALL, NOW)
        tx.idempotency.drop(CALL)
        assert tx.idempotency.begin(CALL, NOW) is None
        answered = tx.idempotency.answer(CALL, 409, {})
        tx.idempotency.drop(CALL)
        assert tx.idempotency.begin(CALL, NOW) == answered


def test_a_call_is_forgotten_after_a_day(metadata: Metadata) -> None:
    other = replace(CALL, body_hash="77aa", expires_at=NOW + 2 * KEPT)
    with metadata.transaction() as tx:
        tx.idempotency.begin(CALL, NOW)
        tx.idempotency.answer(CALL, 200, {})
        assert tx.idempotency.begin(other, NOW + KEPT) is None
        assert tx.idempotency.forget(NOW + KEPT) == 0
        assert tx.idempotency.forget(NOW + 2 * KEPT) == 1


def test_of_calls_that_come_at_once_one_is_served(metadata: Metadata) -> None:
    def serve(_: int) -> str:
        try:
            with metadata.transaction() as tx:
                return "served" if tx.idempotency.begin(CALL, NOW) is None else "answered"
        except GovernanceError as error:
            return error.code

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(serve, range(8), timeout=300))
    assert sorted(answers) == ["dataset_busy"] * 7 + ["served"]

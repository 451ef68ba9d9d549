"""Refused records go back corrected by HTTP: by staff, all or none, with what is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.api.app import application
from lakeshelf.governance.client import Client
from lakeshelf.governance.services.context import Context
from lakeshelf.streams.recover import corrections
from lakeshelf.streams.recover.rehearsal import Candidate
from tests.cli.shop.told_shop import write
from tests.governance.api.floor import answering, shop
from tests.governance.api.people import Person, issue
from tests.governance.api.serving import address
from tests.governance.services.conftest import START
from tests.streams.messages import plain

__all__ = ["address"]
PATH = "/api/v1/quarantine/corrections"
RIGHT = (plain(CATALOG.topics["shelf_events"], "pickup").value or b"").decode()
PLACE = {"topic": "shelf_events", "partition": 0}


@pytest.fixture
def sent() -> list[Candidate]:
    return []


@pytest.fixture
def app(context: Context, shop_template: Any, sent: list[Candidate]) -> FastAPI:
    root = context.root.folder
    assert root is not None
    told_shop = answering(shop(context, shop_template))
    reason = {"kafka_timestamp": START, "reason": "not_json", "detail": "x", "ingested_at": START}
    held = [{**PLACE, "offset": n, "key": b"S1", "value": b"{", **reason} for n in (1, 2)]
    write(root, "raw/quarantine", *held)

    def correct(records: Sequence[Mapping[str, Any]]) -> int:
        ready = corrections.checked(root, records)
        sent.extend(ready)
        return len(ready)

    return application(context, replace(told_shop, correct=correct))


def corrected(offset: int, **values: Any) -> dict[str, Any]:
    return {**PLACE, "offset": offset, **values}


def test_a_corrected_record_goes_back_to_its_topic_and_into_the_audit(
    ann: Person, ben: Person, sent: list[Candidate]
) -> None:
    assert ben.post(PATH, {"records": [corrected(1, value=RIGHT)]}) == {"sent": 1}
    [candidate] = sent
    assert candidate == Candidate("shelf_events", b"S1", RIGHT.encode())
    [written] = ann.get("/api/v1/projects/retail/audit", action="quarantine.corrected")
    assert (written["user"], written["details"]) == ("ben", {"records": [["shelf_events", 0, 1]]})


@pytest.mark.parametrize(
    "wrong",
    [
        corrected(2, value="{"),
        corrected(9, value=RIGHT),
        corrected(2),
        corrected(2, value_base64="?"),
        {**corrected(2, value=RIGHT), "topic": "nothing"},
        {**corrected(2, value=RIGHT), "reason": "x"},
    ],
)
def test_none_is_sent_when_one_would_be_refused_again(
    ben: Person, sent: list[Candidate], wrong: dict[str, Any]
) -> None:
    records = [corrected(1, value=RIGHT), wrong]
    assert ben.refused("POST", PATH, {"records": records}) == "request_invalid"
    assert sent == []


def test_who_may_not_correct_is_refused(vic: Person, sent: list[Candidate]) -> None:
    assert vic.refused("POST", PATH, {"records": [corrected(1, value=RIGHT)]}) == "forbidden"
    assert sent == []


def test_the_client_sends_what_it_listed_and_corrected(
    context: Context, address: str, sent: list[Candidate]
) -> None:
    with Client(address, issue(context, "ben", "ben")) as api:
        listed = api.shop().quarantine()
        assert api.shop().correct({**record, "value": RIGHT} for record in listed) == 2
    assert {candidate.value for candidate in sent} == {RIGHT.encode()}

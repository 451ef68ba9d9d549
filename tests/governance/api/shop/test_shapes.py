"""What is told of the shop is as the OpenAPI document says, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.services.context import Context
from tests.cli.shop.told_shop import SHELF, write
from tests.governance.api.floor import answering, shop
from tests.governance.api.modelled import CHAMPION
from tests.governance.api.people import Person
from tests.governance.services.conftest import START

API = "/api/v1"
ANSWERS = {
    "/alerts": "/alerts",
    "/alerts/a1": "/alerts/{alert}",
    "/plans": "/plans",
    "/plans?status=issued": "/plans",
    "/plans/p1": "/plans/{plan}",
    f"/shelves/{SHELF}": "/shelves/{shelf}",
    f"/shelves/{SHELF}/books": "/shelves/{shelf}/books",
    f"/shelves/{SHELF}/order": "/shelves/{shelf}/order",
    "/models": "/models",
    f"/models/{CHAMPION}": "/models/{version}",
    "/low_shelves": "/low_shelves",
    "/numbers": "/numbers",
    "/numbers/history": "/numbers/history",
    "/status": "/status",
    "/ledger": "/ledger",
    "/quarantine": "/quarantine",
    "/tables": "/tables",
    "/tables/ops/alerts": "/tables/{layer}/{table}",
}
"""Call → operation of the document."""


@pytest.fixture
def app(context: Context, shop_template: Any) -> Iterator[FastAPI]:
    assert context.root.folder is not None
    beside = answering(shop(context, shop_template))
    place = {"topic": "shelf_events", "partition": 0, "kafka_timestamp": START}
    reason = {"reason": "not_json", "detail": "x", "ingested_at": START}
    values = enumerate((b"{", b"\xff", None))
    held = [{**place, **reason, "offset": n, "key": b"S1", "value": value} for n, value in values]
    write(context.root.folder, "raw/quarantine", *held)
    made = application(context, beside)
    yield made
    ended(made)


def validator(app: FastAPI, operation: str) -> Draft202012Validator:
    document = app.openapi()
    answer = document["paths"][f"{API}{operation}"]["get"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


def test_answers_are_as_the_document_says(app: FastAPI, vic: Person) -> None:
    problems = [
        f"{call} {error.json_path}: {error.message[:200]}"
        for call, operation in ANSWERS.items()
        for error in validator(app, operation).iter_errors(vic.get(f"{API}{call}"))
    ]
    assert not problems, "\n".join(problems)


def test_an_answer_that_lacks_a_field_or_has_another_type_is_not(app: FastAPI, vic: Person) -> None:
    alerts = vic.get(f"{API}/alerts")
    assert len(alerts["rows"]) == 3
    assert validator(app, "/alerts").is_valid(alerts)
    for wrong in ({"status": "odd"}, {"created_at": 3}, {"can": {"ack": 1}}):
        changed = {**alerts, "rows": [{**alerts["rows"][0], **wrong}]}
        assert not validator(app, "/alerts").is_valid(changed)
    lacking = {name: value for name, value in alerts["rows"][0].items() if name != "why"}
    assert not validator(app, "/alerts").is_valid({**alerts, "rows": [lacking]})

"""What is derived from a declaration agrees, whichever way it is derived."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import jsonschema as reference
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import from_arrow_schema

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.derived import jsonschema, kafka, spark
from lakeshelf.contracts.validate import check
from tests.contracts.cases import encode, example

FIELDS = {
    **{name: topic.fields for name, topic in CATALOG.topics.items()},
    **{name: table.columns for name, table in CATALOG.tables.items()},
}


@pytest.mark.parametrize("name", FIELDS)
def test_spark_and_arrow_schemas_agree(name: str) -> None:
    converted = from_arrow_schema(arrow.schema(FIELDS[name]), prefer_timestamp_ntz=False)
    assert converted.simpleString() == spark.schema(FIELDS[name]).simpleString()


@pytest.mark.parametrize("name", FIELDS)
def test_types_are_named_as_spark_names_them(name: str) -> None:
    named = ",".join(f"{field.name}:{field.type}" for field in FIELDS[name])
    assert spark.schema(FIELDS[name]).simpleString() == f"struct<{named}>"


def test_times_are_microseconds_in_utc() -> None:
    schema = arrow.schema(CATALOG.tables["raw/shelf_events"].columns)
    assert schema.field("event_time").type == pa.timestamp("us", tz="UTC")


def test_comments_are_carried_on_request() -> None:
    columns = CATALOG.tables["cleansed/shelf_state"].columns
    commented = arrow.schema(columns, comments=True)
    assert commented.field("balance").metadata == {b"comment": b"Signed sum of all movements."}
    assert spark.schema(columns, comments=True)["balance"].metadata == {
        "comment": "Signed sum of all movements."
    }
    assert arrow.schema(columns).field("balance").metadata is None


def test_the_contract_loads_without_spark_arrow_or_delta() -> None:
    code = (
        "import sys, lakeshelf.contracts, lakeshelf.contracts.validate, "
        "lakeshelf.contracts.derived.docs, lakeshelf.contracts.release\n"
        "heavy = {'pyspark', 'pyarrow', 'deltalake', 'confluent_kafka'} & set(sys.modules)\n"
        "raise SystemExit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", CATALOG.topics)
def test_topic_settings(name: str) -> None:
    topic = CATALOG.topics[name]
    settings_ = kafka.settings(topic)
    assert settings_["cleanup.policy"] == topic.cleanup
    assert settings_["message.timestamp.type"] == "LogAppendTime"
    week = str(7 * 24 * 3600 * 1000)
    assert settings_["delete.retention.ms" if topic.compacted else "retention.ms"] == week


def strict_integer(_: object, instance: object) -> bool:
    return isinstance(instance, int) and not isinstance(instance, bool)


STRICT = reference.validators.extend(
    reference.Draft202012Validator,
    type_checker=reference.Draft202012Validator.TYPE_CHECKER.redefine("integer", strict_integer),
)
SCHEMAS = {name: STRICT(jsonschema.message(topic)) for name, topic in CATALOG.topics.items()}


@pytest.mark.parametrize("name", CATALOG.topics)
def test_every_message_schema_is_a_json_schema(name: str) -> None:
    STRICT.check_schema(jsonschema.message(CATALOG.topics[name]))


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, 0, 1, -1, 5, 101, 10_000_000, 10_000_001, -10_000_000, -10_000_001,
        2**63 - 1, 2**63, -(2**63), 1.5, 2.0, -0.5, 99_999.0, 1e10, 9_999_999_999.99, 9.9999,
        9.99995, 10.0, "", "x", "5", "open", "store", "pickup", "wh_adjustment", "system",
        "2017-01-01", "2017-1-1", "2017-13-01", "2017-01-01T00:00:00Z", "2017-01-01T00:00:00",
        "2017-01-01T00:00:00.123+02:00", "2017-01-01T25:00:00Z", "1999-06-01T00:00:00Z",
        "2101-06-01T00:00:00Z", "2100-06-01T00:00:00Z", [], [1], [{}], {}, {"a": 1},
    ]
)  # fmt: skip
MISSING = object()


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    topic = CATALOG.topics[draw(st.sampled_from(sorted(CATALOG.topics)))]
    message = example(topic, draw(st.sampled_from(topic.event_types or (None,))))
    for _ in range(draw(st.integers(1, 3))):
        target = message
        if "items" in message and isinstance(message["items"], list) and draw(st.booleans()):
            target = next((line for line in message["items"] if isinstance(line, dict)), message)
        name = draw(st.sampled_from([*sorted(target), "surprise"]))
        value = draw(VALUES | st.just(MISSING))
        target.pop(name, None)
        if value is not MISSING:
            target[name] = value
    return topic.name, message


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(mutations())
def test_json_schema_accepts_exactly_what_the_validator_accepts(
    case: tuple[str, dict[str, Any]],
) -> None:
    """It compares no values, as JSON Schema cannot."""
    name, message = case
    topic = replace(CATALOG.topics[name], equal=(), unique=(), within=())
    refusal = check(topic, encode(message))
    errors = [error.message for error in SCHEMAS[name].iter_errors(message)]
    assert (refusal is None) == (not errors), (refusal, errors)

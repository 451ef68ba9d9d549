"""The retail catalogue against the written contract: names, keys, owners, columns."""

from __future__ import annotations

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Analytics, Cleansed, Curated, Ops, Raw, Staging

ENVELOPE = ["event_id", "event_type", "event_time", "store_id", "schema_version"]
RAW_ORIGIN = ["kafka_partition", "kafka_offset", "kafka_timestamp", "ingested_at", "event_date"]

APPEND_ONLY = {
    "foot_traffic": "visit_id",
    "shelf_events": "shelf_id",
    "pos_transactions": "transaction_id",
    "wh_events": "shelf_id",
    "lost_sales": "shelf_id",
    "alerts": "alert_id",
    "commands": "target_id",
    "quarantine": "original_key",
}
COMPACTED = {
    "clock": ("", "clock"),
    "shelf_profiles": ("shelf_id", "publisher"),
    "shelf_policies": ("shelf_id", "publisher"),
    "wh_policies": ("shelf_id", "publisher"),
    "batch_catalog": ("batch_code", "publisher"),
    "promotions": ("shelf_id::week", "publisher"),
    "order_levels": ("shelf_id", "inference-service"),
    "shelf_state": ("shelf_id", "shelf-aggregator"),
    "wh_state": ("shelf_id", "wh-aggregator"),
    "shelf_batch_state": ("shelf_id::batch_code", "batch-state-updater"),
    "wh_batch_state": ("shelf_id::batch_code", "wh-batch-state-updater"),
    "shelf_restock_plan": ("plan_id", "shelf-alert-engine"),
    "wh_supplier_plan": ("supplier_plan_id", "wh-alert-engine"),
    "wh_supplier_orders": ("order_id", "wh-supplier-manager"),
    "daily_discounts": ("shelf_id::discount_date", "daily-discount-manager"),
}
MIRRORS = {
    "shelf_events": "shelf-aggregator",
    "pos_transactions": "batch-state-updater",
    "foot_traffic": "foot-traffic-raw-sink",
    "wh_events": "wh-aggregator",
    "lost_sales": "foot-traffic-raw-sink",
}


def test_the_topics_are_those_of_the_contract() -> None:
    assert set(CATALOG.topics) == APPEND_ONLY.keys() | COMPACTED.keys()


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_an_append_only_topic_has_its_key_and_the_envelope(name: str) -> None:
    topic = CATALOG.topics[name]
    assert "::".join(topic.key) == APPEND_ONLY[name]
    assert topic.cleanup == "delete"
    assert set(ENVELOPE) <= {field.name for field in topic.fields}


@pytest.mark.parametrize("name", COMPACTED)
def test_a_compacted_topic_has_its_key_owner_and_version(name: str) -> None:
    topic = CATALOG.topics[name]
    assert ("::".join(topic.key), topic.owner) == COMPACTED[name]
    assert topic.cleanup == "compact"
    assert {"version", "updated_at"} <= {field.name for field in topic.fields if field.required}


@pytest.mark.parametrize("name", MIRRORS)
def test_a_raw_table_is_the_event_and_where_it_came_from(name: str) -> None:
    table = CATALOG.tables[f"raw/{name}"]
    fields = [field.name for field in CATALOG.topics[name].fields]
    assert [column.name for column in table.columns] == fields + RAW_ORIGIN
    assert (table.owner, table.key, table.partition_by) == (
        MIRRORS[name],
        ("event_id",),
        ("event_date",),
    )


@pytest.mark.parametrize(
    "name",
    [t.name for t in CATALOG.tables.values() if t.topic in COMPACTED and "curated" not in t.name],
)
def test_what_a_state_topic_carries_is_the_row_of_its_table(name: str) -> None:
    table = CATALOG.tables[name]
    topic = CATALOG.topics[table.topic or ""]
    assert topic.fields == table.public
    assert (topic.key, topic.owner) == (table.key, table.owner)


def test_the_whole_alert_is_published() -> None:
    carried = {field.name for field in CATALOG.topics["alerts"].fields}
    assert {column.name for column in CATALOG.tables["ops/alerts"].columns} <= carried


def test_every_column_and_table_is_described() -> None:
    for table in CATALOG.tables.values():
        assert table.doc.endswith(".")
        assert all(len(column.doc) > len(column.name) / 2 for column in table.columns)


def test_policies_carry_the_defaults_that_are_in_force_without_one() -> None:
    shelf = CATALOG.topics["shelf_policies"]
    warehouse = CATALOG.topics["wh_policies"]
    assert {f.name: f.default for f in shelf.fields if f.default is not None} == {
        "threshold_pct": 30,
        "min_qty": 1,
        "target_pct": 80,
        "near_expiry_days": 5,
        "active": True,
    }
    assert {f.name: f.default for f in warehouse.fields if f.default is not None} == {
        "reorder_point_qty": 10,
        "batch_multiplier": 1,
        "near_expiry_days": 10,
        "plan_source": "rule",
        "allow_zero": False,
        "active": True,
    }


@pytest.mark.parametrize("layer", [Raw, Cleansed, Staging, Curated, Analytics, Ops])
def test_a_name_of_a_layer_is_that_of_a_declared_table(layer: type) -> None:
    names = {key: value for key, value in vars(layer).items() if key.isupper()}
    prefix = layer.__name__.lower()
    assert names == {key: f"{prefix}/{key.lower()}" for key in names}
    assert set(names.values()) <= set(CATALOG.tables)

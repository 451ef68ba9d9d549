"""Where there is no dataset yet, a file suggests one that loses nothing of it; its rows are reviewed all the same."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services import datasets, imports
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.datasets import table_of
from tests.governance.services.acting import approved, merged
from tests.governance.services.conftest import ANN, EVE, PROJECT, VIC
from tests.governance.services.imports.filing import workbook

pytestmark = pytest.mark.timeout(300)
CSV = (
    b"sku,units,serial,price,day,sold,note\n"
    b"00123,5,9223372036854775808,0.1,2026-03-01,true,NA\n"
    b"00124,6,1,0.25,2026-03-02,false,\n"
)


def suggested(context: Context, content: bytes, name: str, *key: str) -> Definition:
    return imports.inferred(context, ANN, PROJECT, name, content, key)


def types(definition: Definition) -> dict[str, str]:
    return {column.name: str(column.field.type) for column in definition.columns}


def test_types_of_a_csv_keep_every_value(context: Context) -> None:
    definition = suggested(context, CSV, "new.csv", "sku")
    assert definition.key == ("sku",)
    assert types(definition) == {
        "sku": "string",
        "units": "bigint",
        "serial": "string",
        "price": "decimal(38,2)",
        "day": "date",
        "sold": "boolean",
        "note": "string",
    }


def test_the_first_load_is_a_change_request_and_keeps_what_the_file_says(context: Context) -> None:
    definition = suggested(context, CSV, "new.csv", "sku")
    datasets.create(context, ANN, PROJECT, "prices", definition)
    upload = imports.receive(context, ANN, PROJECT, "prices", "new.csv", [CSV])
    request = imports.load(context, ANN, PROJECT, upload.id).request
    assert request is not None
    assert request.status == "pending_review"
    merged(context, approved(context, request))
    with context.metadata.reading() as tx:
        rows = table_of(context, tx, PROJECT, "prices").opened().reader().read_all().to_pylist()
    first, second = sorted(rows, key=lambda row: row["sku"])
    assert (first["sku"], first["serial"], first["note"]) == ("00123", str(2**63), "NA")
    assert (first["price"], second["price"]) == (Decimal("0.10"), Decimal("0.25"))
    assert second["note"] is None


def test_numbers_of_json_lines_and_workbooks_are_exact(context: Context) -> None:
    lines = json.dumps({"sku": "007", "serial": 2**63, "price": 0.1}).encode()
    assert types(suggested(context, lines, "new.jsonl", "sku")) == {
        "sku": "string",
        "serial": "decimal(38,0)",
        "price": "decimal(38,1)",
    }
    sheet = workbook([["sku", "units", "price"], ["007", 5, 0.1]])
    assert types(suggested(context, sheet, "new.xlsx", "sku")) == {
        "sku": "string",
        "units": "bigint",
        "price": "decimal(38,1)",
    }


def test_types_of_parquet_are_its_own(context: Context) -> None:
    sink = io.BytesIO()
    columns = {"sku": pa.array(["a"]), "units": pa.array([1], pa.int32()), "ratio": pa.array([0.1])}
    pq.write_table(pa.table(columns), sink)
    definition = suggested(context, sink.getvalue(), "new.parquet")
    assert definition.made_keys
    assert types(definition) == {
        "row_id": "string",
        "sku": "string",
        "units": "bigint",
        "ratio": "double",
    }


@pytest.mark.parametrize(
    ("content", "name", "key", "expected"),
    [
        (b"Unit Price,b\n1,2\n", "new.csv", (), "upload_invalid"),
        (b"", "new.csv", (), "upload_invalid"),
        (b"PK", "new.xlsx", (), "upload_invalid"),
        (b"x", "new.exe", (), "upload_invalid"),
        (b"a,b\n1,2\n", "new.csv", ("c",), "definition_invalid"),
        (b"row_id,b\n1,2\n", "new.csv", (), "definition_invalid"),
        (b'{"a": 1.5}\n{"a": 2.5e300}\n', "new.jsonl", ("a",), "definition_invalid"),
    ],
)
def test_a_file_of_which_no_dataset_can_be_is_refused(
    context: Context, content: bytes, name: str, key: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(GovernanceError) as error:
        suggested(context, content, name, *key)
    assert error.value.code == expected


def test_only_who_may_propose_changes_is_answered(context: Context) -> None:
    codes: dict[str, Any] = {}
    for caller in (VIC, EVE):
        with pytest.raises(GovernanceError) as error:
            imports.inferred(context, caller, PROJECT, "new.csv", CSV)
        codes[caller.user] = error.value.code
    assert codes == {"vic": "forbidden", "eve": "not_found"}

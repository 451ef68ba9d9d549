"""Times: of the zone that is declared, to the microsecond, in the years of the calendar; or refused."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.ingestion.declared import instants
from lakeshelf.ingestion.formats import parquet_rows
from tests.ingestion.rig import Rig

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
LOCAL = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 - local times


@settings(max_examples=60, deadline=None)
@given(st.lists(LOCAL, min_size=1, max_size=5), st.sampled_from(ZONES))
def test_a_local_time_is_the_instant_of_its_zone(times: list[datetime], zone: str) -> None:
    found = instants.from_local(pa.array(times, pa.timestamp("us")), zone).to_pylist()
    for local, instant in zip(times, found, strict=True):
        firsts = [
            local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)
        ]
        assert instant == (firsts[0] if firsts[0] == firsts[1] else None)
        if instant is not None:
            back = instants.to_local(pa.array([instant], instants.INSTANT), zone)[0].as_py()
            assert back == local


GAP, TWICE, SUMMER_2050 = "2026-03-29 02:30", "2026-10-25 02:30", "2050-07-01 12:00"


def test_times_without_an_offset_are_of_the_declared_zone_in_every_format(rig: Rig) -> None:

    rig.drop(
        "n/_dataset.toml",
        'assume_zone = "Europe/Berlin"\n[columns]\nid = "bigint"\nat = "timestamp"\n',
    )
    times = (SUMMER_2050, GAP, TWICE, "2026-01-01")
    naive = [datetime.fromisoformat(time) for time in times]
    rig.drop(
        "n/a.csv", "id,at\n" + "".join(f"1,{time}\n" for time in times) + "1,2026-01-01T00:00Z\n"
    )
    rig.drop("n/b.jsonl", "".join(json.dumps({"id": 2, "at": time}) + "\n" for time in times))
    for unit in ("ns", "us", "ms"):
        out = io.BytesIO()
        columns = {"id": [3] * 4, "at": pa.array(naive, pa.timestamp(unit))}
        pq.write_table(pa.table(columns), out)
        rig.drop(f"n/c{unit}.parquet", out.getvalue())
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (("id", "at"), *((4, time) for time in naive)):
        book.active.append(row)
    book.save(out)
    rig.drop("n/d.xlsx", out.getvalue())
    rig.scan()
    wanted = [datetime(2050, 7, 1, 10, tzinfo=UTC), datetime(2025, 12, 31, 23, tzinfo=UTC)]
    for file in rig.files():
        found = [row[2] for row in rig.rows("silver/n", "at") if row[0] == file.file_id]
        extra = [datetime(2026, 1, 1, tzinfo=UTC)] if file.path == "n/a.csv" else []
        assert found == wanted + extra, file.path
        assert [rule[1:3] for rule in rig.rules(file.file_id)] == [("range", "at")] * 2, file.path


def test_old_times_of_96_bits_reach_the_year_9999_and_finer_ones_are_refused() -> None:
    def written(*values: Any, kind: pa.DataType, **how: Any) -> bytes:
        out = io.BytesIO()
        pq.write_table(pa.table({"at": pa.array(values, kind)}), out, **how)
        return out.getvalue()

    first, last = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001
    old = written(last, first, kind=pa.timestamp("us"), use_deprecated_int96_timestamps=True)
    assert parquet_rows.parse(old).table["at"].to_pylist() == [
        last.replace(tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
    ]
    for how in ({"use_deprecated_int96_timestamps": True}, {}):
        parsed = parquet_rows.parse(written(1_000, 1_001, None, kind=pa.timestamp("ns"), **how))
        assert parsed.table["at"].to_pylist() == [
            datetime(1970, 1, 1, microsecond=1, tzinfo=UTC),
            None,
        ]
        assert parsed.lines.to_pylist() == [1, 3]
        assert [(one.line, one.rule, one.column, one.value) for one in parsed.refused] == [
            (2, "range", "at", "1970-01-01 00:00:00.000001001")
        ]
    far = written(253402300800, 0, kind=pa.timestamp("s", "UTC"))
    [refused] = parquet_rows.parse(far).refused
    assert (refused.line, refused.rule) == (1, "range")


def test_a_day_of_an_event_after_2037_is_that_of_its_zone(rig: Rig) -> None:
    rig.drop("n/_dataset.toml", 'zone = "Europe/Berlin"\n')
    rig.drop("n/a.csv", "store_id,event_time\nS1,2050-07-01T22:30:00Z\nS1,2026-07-01T22:30:00Z\n")
    assert rig.scan().is_complete
    assert [row[2] for row in rig.rows("silver/n", "date")] == [date(2050, 7, 2), date(2026, 7, 2)]


def test_a_local_day_beyond_the_calendar_is_refused() -> None:
    end = pa.array([datetime(9999, 12, 31, 23, 30, tzinfo=UTC)], instants.INSTANT)
    assert instants.to_local(end, "Asia/Tokyo").to_pylist() == [None]
    assert instants.to_local(end, "America/New_York").to_pylist() == [
        datetime(9999, 12, 31, 18, 30)  # noqa: DTZ001
    ]
    assert instants.from_local(end.cast(pa.timestamp("us")), "Asia/Tokyo")[0].as_py() == (
        end[0].as_py() - timedelta(hours=9)
    )

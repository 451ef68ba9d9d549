"""What queries read and write is told in the events of OpenLineage, and whoever receives them holds nothing up."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from lakeshelf import logs
from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import load_settings
from lakeshelf.streams.declare import registry
from lakeshelf.streams.declare.described import described
from lakeshelf.streams.declare.plan import plan
from lakeshelf.telemetry import lineage
from lakeshelf.telemetry.lineage import QueryRun
from tests.support import eventually, logged
from tests.telemetry.receiving import receiving

QUERY = "foot-traffic-raw-sink"


def run(lake: Path | str = Path("/lake")) -> QueryRun:
    """A query of the product, as it starts."""
    jobs = registry.discover(load_settings().home)
    (query,) = [query for query in plan(jobs.values()) if query.name == QUERY]
    return described(query, lake, "kafka:9092,other:9092")


def events(file: Path) -> list[dict[str, Any]]:
    """What was written."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_query_starts_runs_and_completes(lake: Path, tmp_path: Path) -> None:
    """With its topics and tables, their columns, and the versions that were read and written."""
    file = tmp_path / "events" / "lineage.jsonl"
    with lineage.emitting(load_settings(openlineage_file=file, openlineage_every_batches=2)):
        lineage.started(run)
        for number in range(5):
            lineage.batch(
                QUERY, lambda n=number: {"foot_traffic": f"0:{n}"}, {"raw/foot_traffic": number}
            )
        lineage.ended(QUERY)
    start, first, second, last = events(file)
    assert [e["eventType"] for e in (start, first, second, last)] == [
        "START",
        "RUNNING",
        "RUNNING",
        "COMPLETE",
    ]
    assert len({event["run"]["runId"] for event in events(file)}) == 1
    assert (start["job"]["namespace"], start["job"]["name"]) == ("lakeshelf", QUERY)
    assert start["job"]["facets"]["jobType"]["processingType"] == "STREAMING"
    (topic,) = [one for one in last["inputs"] if one["name"] == "foot_traffic"]
    assert topic["namespace"] == "kafka://kafka:9092"
    assert topic["facets"]["version"]["datasetVersion"] == "0:4"
    (table,) = [one for one in second["outputs"] if one["name"].endswith("/raw/foot_traffic")]
    assert (table["namespace"], table["name"]) == ("file", "/lake/raw/foot_traffic")
    assert table["facets"]["version"]["datasetVersion"] == "3"
    assert "event_id" in {field["name"] for field in table["facets"]["schema"]["fields"]}


def test_a_table_in_a_bucket_has_the_buckets_name() -> None:
    """As OpenLineage has it."""
    outputs = {(one.namespace, one.name) for one in run("s3://shop/lake").outputs}
    assert ("s3://shop", "lake/raw/foot_traffic") in outputs


def test_a_query_that_fails_says_why_without_secrets(lake: Path, tmp_path: Path) -> None:
    """What starts then is another run."""
    file = tmp_path / "lineage.jsonl"
    logs.begin("streams", tmp_path, secrets=["hunter22"])
    with lineage.emitting(load_settings(openlineage_file=file)):
        for _ in range(2):
            lineage.started(run)
            lineage.ended(QUERY, "no broker at sasl://me:hunter22@kafka")
    told = events(file)
    assert [event["eventType"] for event in told] == ["START", "FAIL"] * 2
    assert len({event["run"]["runId"] for event in told}) == 2
    assert "no broker" in told[1]["run"]["facets"]["errorMessage"]["message"]
    assert "hunter22" not in file.read_text()


def test_events_go_to_a_server_too(lake: Path) -> None:
    """As Marquez takes them."""
    with receiving() as server:
        with lineage.emitting(load_settings(openlineage_url=server.address)):
            lineage.started(run)
            lineage.ended(QUERY)
        paths = {path for path, _ in server.bodies}
        kinds = [json.loads(body)["eventType"] for _, body in server.bodies]
    assert paths == {"/api/v1/lineage"}
    assert kinds == ["START", "COMPLETE"]


def test_a_server_that_is_silent_or_away_holds_nothing_up_and_is_told_once(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections and does not answer, for longer than a test may take; the file beside it has everything."""
    monkeypatch.setattr(lineage, "ANSWER_S", 3_000.0)
    file = tmp_path / "lineage.jsonl"
    logs.begin("streams", tmp_path / "logs")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = load_settings(
            openlineage_url=url, openlineage_file=file, openlineage_every_batches=1
        )
        with lineage.emitting(settings):
            lineage.started(run)
            for number in range(3):
                lineage.batch(QUERY, dict, {"raw/foot_traffic": number})
            eventually(lambda: file.read_text().count("\n") == 4, "the file has all")
            silent.close()
    lines = [line for line in logged(tmp_path / "logs") if line.event == "lineage not sent"]
    assert len(lines) == 1


def test_nothing_is_made_where_nobody_asks(lake: Path) -> None:
    """A query that starts is not even described."""
    with lineage.emitting(load_settings()):
        lineage.started(lambda: pytest.fail("described"))
        lineage.batch(QUERY, lambda: pytest.fail("read"), {})
        lineage.ended(QUERY)


def test_a_file_that_cannot_be_written_is_refused_at_the_start(lake: Path, tmp_path: Path) -> None:
    """With the setting that names it."""
    (tmp_path / "file").touch()
    settings = load_settings(openlineage_file=tmp_path / "file" / "lineage.jsonl")
    with (
        pytest.raises(ConfigurationError, match="LAKESHELF_OPENLINEAGE_FILE"),
        lineage.emitting(settings),
    ):
        pass


@pytest.mark.timeout(60)
def test_a_pipe_takes_no_lineage(lake: Path, tmp_path: Path) -> None:
    """To open it would wait for a reader, and the driver with it."""
    os.mkfifo(tmp_path / "pipe")
    settings = load_settings(openlineage_file=tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="it is a pipe"), lineage.emitting(settings):
        pass

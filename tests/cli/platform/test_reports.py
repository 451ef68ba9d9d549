from __future__ import annotations

import json

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.lake.rows import tables
from tests.forecast.versions import test_standing as standing


def test_status_of_a_lake_where_nothing_runs(lakeshelf):
    result = lakeshelf("status", "--json")
    told = json.loads(result.out)
    assert result.code == 1
    assert told["state"] == "down"
    assert not told["ok"]
    assert {q["state"] for q in told["queries"]} == {"down"}
    assert told["shelves_without_profile"] is None


def test_status_says_what_to_do_when_nothing_runs(lakeshelf):
    result = lakeshelf("status")
    assert result.code == 1
    assert "lakeshelf up" in result.out


@pytest.mark.slow
def test_asking_writes_nothing(lakeshelf, lake):
    for command in (
        ("status",),
        ("tables",),
        ("topics",),
        ("doctor",),
        ("jobs", "list"),
        ("down",),
    ):
        lakeshelf(*command)
    assert not lake.exists()


def test_down_where_nothing_runs_is_no_failure(lakeshelf):
    result = lakeshelf("down")
    assert result.code == 0
    assert "Nothing runs" in result.out


@pytest.mark.slow
def test_tables_have_rows_and_versions(lakeshelf, lake):
    tables.ensure_all(lake)
    found = json.loads(lakeshelf("tables", "--json").out)
    assert {t["table"] for t in found} == set(CATALOG.tables)
    assert {t["rows"] for t in found} == {0}
    assert len(json.loads(lakeshelf("tables", "--json", "--limit", 3).out)) == 3


def test_topics_are_listed_without_a_broker(lakeshelf):
    found = json.loads(lakeshelf("topics", "--json").out)
    assert {t["topic"] for t in found} == set(CATALOG.topics)


@pytest.mark.slow
def test_every_job_is_listed_with_what_it_reads_and_keeps(lakeshelf):
    found = {job["job"]: job for job in json.loads(lakeshelf("jobs", "list", "--json").out)}
    assert found["shelf-aggregator"]["reads"] == ["shelf_events"]
    assert "cleansed/shelf_state" in found["shelf-aggregator"]["keeps"]


@pytest.mark.parametrize("name", ["shelf_events", "cleansed/shelf_state", "curated/sales_lines"])
def test_a_contract_is_shown(lakeshelf, name):
    told = json.loads(lakeshelf("contracts", "show", name, "--json").out)
    assert told["name"] == name
    assert "shelf_id" in {field["field"] for field in told["fields"]}
    assert name in lakeshelf("contracts", "show", name).out


@pytest.mark.slow
def test_the_contract_fits_its_release_and_its_pages(lakeshelf):
    assert lakeshelf("contracts", "check").code == 0
    assert lakeshelf("contracts", "docs", "--check").code == 0


@pytest.mark.slow
def test_stale_pages_fail_the_check_and_are_written(lakeshelf, tmp_path):
    assert lakeshelf("contracts", "docs", "--check", "--folder", tmp_path).code == 1
    assert lakeshelf("contracts", "docs", "--folder", tmp_path).code == 0
    assert lakeshelf("contracts", "docs", "--check", "--folder", tmp_path).code == 0


def test_secrets_are_masked(lakeshelf, monkeypatch):
    monkeypatch.setenv("LAKESHELF_KAFKA_PASSWORD", "open-sesame")
    for arguments in (("config",), ("config", "--json")):
        result = lakeshelf(*arguments)
        assert result.code == 0
        assert "open-sesame" not in result.out


@pytest.mark.slow
def test_doctor_is_green_on_a_machine_that_is_set_up(lakeshelf):
    told = json.loads(lakeshelf("doctor", "--json").out)
    assert [c for c in told["checks"] if not c["ok"]] == []


def test_an_empty_quarantine_says_so(lakeshelf, lake):
    tables.ensure(lake, CATALOG.tables["raw/quarantine"])
    assert lakeshelf("quarantine", "list").code == 0
    assert json.loads(lakeshelf("quarantine", "list", "--json").out) == []


@pytest.mark.slow
def test_status_tells_who_decides_how_much_is_ordered_and_what_is_red(lakeshelf, lake):
    day = standing.AT.date()
    write, champion = standing.write, standing.CHAMPION
    tables.ensure_all(lake)
    assert "model  " not in lakeshelf("status").out
    write(lake, "ops/models", standing.model(champion, "champion"))
    write(lake, "ops/model_health", standing.health(day, champion, "bias_28d", "red"))
    shown = lakeshelf("status").out
    assert f"{champion} decides since 2026-10-14" in shown
    assert "bias_28d of store S1 is 0.3, beyond 0.1" in shown
    broken = standing.health(day, champion, "fallback_share", "red", reason="q90.txt was changed")
    write(lake, "ops/model_health", broken)
    shown = lakeshelf("status").out
    assert f"problem: model {champion} predicts nothing: q90.txt was changed" in shown
    said = f"the rule decides, {champion} is champion since 2026-10-14"
    assert said in " ".join(shown.split())

"""What takes longer than a call: statements as jobs, and calls that nobody waits for any longer."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.client import Client
from lakeshelf.governance.errors import CODES, GovernanceError
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.jobs import queries, results, running
from lakeshelf.query import duck
from tests.governance.api.people import Person, code, issue
from tests.governance.api.serving import listening
from tests.governance.api.test_life import done, insert
from tests.governance.services.conftest import START, Clock
from tests.support import eventually

pytestmark = pytest.mark.timeout(300)
JOBS = "/api/v1/jobs"
QUERY = "/api/v1/query"
FOREVER = "SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c WHERE a.range + b.range + c.range < 0"


@pytest.fixture(autouse=True)
def ending(app: FastAPI) -> Iterator[None]:
    yield
    app.state.runner.close()


def begun(person: Person, sql: str = FOREVER) -> dict[str, Any]:
    answer = person.call("POST", QUERY, {"sql": sql, "wait": 0})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def ended(person: Person, job: str) -> dict[str, Any]:
    eventually(lambda: person.get(f"{JOBS}/{job}")["ended_at"], "the job ends")
    seen: dict[str, Any] = person.get(f"{JOBS}/{job}")
    return seen


def test_a_statement_that_is_quick_answers_with_its_rows_and_keeps_them(ann: Person) -> None:
    answer = ann.post(QUERY, {"sql": "SELECT range AS n FROM range(25000)", "max_rows": 2})
    assert answer["rows"] == [[0], [1]]
    assert (answer["columns"], answer["total"], answer["truncated"]) == (["n"], 25000, False)
    path = f"{JOBS}/{answer['job']}"
    assert ann.get(path)["status"] == "done"
    page = ann.get(f"{path}/rows", offset=20_479, limit=3)
    assert page["rows"] == [[20_479], [20_480], [20_481]]
    assert ann.get(f"{path}/rows", offset=25_000)["rows"] == []


def test_rows_that_are_heavy_come_in_smaller_parts_where_that_is_asked(ann: Person) -> None:
    sql = "SELECT range AS n, repeat('x', 100000) AS x FROM range(10)"
    place = f"{JOBS}/{ann.post(QUERY, {'sql': sql, 'max_rows': 1})['job']}/rows"
    assert len(ann.get(place)["rows"]) == 10
    seen: list[int] = []
    sizes: set[int] = set()
    while len(seen) < 10:
        rows = ann.get(place, offset=len(seen), heaviest=300_000)["rows"]
        seen += [n for n, _ in rows]
        sizes.add(len(rows))
    assert (seen, max(sizes)) == (list(range(10)), 2)
    assert len(ann.get(place, heaviest=1)["rows"]) == 1


def test_rows_are_fetched_whole_as_csv_and_parquet(ann: Person) -> None:
    sql = "SELECT range AS n, CASE WHEN n = 1 THEN 'a,b' END AS t FROM range(30000)"
    path = f"{JOBS}/{ann.post(QUERY, {'sql': sql})['job']}/file"
    csv = ann.call("GET", path)
    assert "attachment" in csv.headers["Content-Disposition"]
    lines = csv.text.splitlines()
    assert (lines[:3], len(lines)) == (["n,t", "0,", '1,"a,b"'], 30_001)
    table = pq.read_table(io.BytesIO(ann.call("GET", f"{path}?format=parquet").content))
    assert table["n"].to_pylist() == list(range(30_000))
    assert table["t"][1].as_py() == "a,b"


def test_what_a_spreadsheet_would_calculate_is_escaped_where_that_is_asked(ann: Person) -> None:
    sql = "SELECT -1 AS n, '=1+1' AS \"=t\""
    path = f"{JOBS}/{ann.post(QUERY, {'sql': sql})['job']}/file"
    assert ann.call("GET", f"{path}?escape=formulas").text == "n,'=t\n-1,'=1+1\n"
    assert ann.call("GET", path).text == "n,=t\n-1,=1+1\n"
    for refused in ("format=parquet&escape=formulas", "escape=none"):
        assert ann.refused("GET", f"{path}?{refused}") == "request_invalid"


def test_what_parquet_has_no_type_for_is_refused_before_it_begins(ann: Person) -> None:
    job = ann.post(QUERY, {"sql": "SELECT INTERVAL 1 DAY AS i"})["job"]
    assert ann.refused("GET", f"{JOBS}/{job}/file?format=parquet") == "request_invalid"
    assert ann.call("GET", f"{JOBS}/{job}/file").status_code == 200


def test_values_of_a_set_are_texts_in_every_batch(ann: Person) -> None:
    sql = "SELECT (CASE WHEN range < 20000 THEN 'a' ELSE 'b' END)::ENUM('a','b') AS e FROM range(30000)"
    answer = ann.post(QUERY, {"sql": sql})
    assert ann.get(f"{JOBS}/{answer['job']}/rows", offset=19_999, limit=2)["rows"] == [["a"], ["b"]]


def test_more_rows_than_are_kept_are_told(ann: Person) -> None:
    body = {"sql": "SELECT * FROM range(50)", "keep_rows": 10}
    answer = ann.post(QUERY, body)
    assert (answer["total"], len(answer["rows"]), answer["truncated"]) == (10, 10, True)
    exact = ann.post(QUERY, {**body, "keep_rows": 50})
    assert (exact["total"], exact["truncated"]) == (50, False)


def test_more_bytes_than_are_kept_are_told(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_BYTES", 100_000)
    answer = ann.post(QUERY, {"sql": "SELECT * FROM range(100000)"})
    assert 0 < answer["total"] < 100_000
    assert answer["truncated"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"sql": FOREVER, "seconds": 0.2}, "query_too_long"),
        ({"sql": "SELECT list(range) FROM range(40000000)"}, "query_too_large"),
        ({"sql": "SELECT 1/"}, "query_refused"),
        ({"sql": "SELECT * FROM read_text('/etc/passwd')"}, "query_refused"),
        ({"sql": "SELECT * FROM no.table"}, "not_found"),
    ],
)
def test_a_statement_that_asks_too_much_is_refused_by_its_code(
    ann: Person, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any], expected: str
) -> None:
    monkeypatch.setattr(queries, "MEMORY", "64MB")
    answer = ann.call("POST", QUERY, body)
    assert (code(answer), answer.status_code) == (expected, CODES[expected])
    assert "--" not in answer.json()["error"]["message"]
    [job] = ann.get(JOBS)
    assert (job["status"], job["result"]["error"]["code"]) == ("failed", expected)


def test_a_statement_that_takes_long_is_a_job_that_can_be_cancelled(ann: Person) -> None:
    job = begun(ann)
    eventually(lambda: ann.get(f"{JOBS}/{job['id']}")["status"] == "running", "it runs")
    running_now = ann.get(f"{JOBS}/{job['id']}")
    assert running_now["can"] == {"cancel": True}
    assert ann.refused("GET", f"{JOBS}/{job['id']}/rows") == "transition_refused"
    ann.post(f"{JOBS}/{job['id']}/cancel")
    assert ended(ann, job["id"])["status"] == "cancelled"
    assert ann.refused("POST", f"{JOBS}/{job['id']}/cancel") == "transition_refused"


def test_a_job_is_cancelled_in_whichever_process_it_runs(
    app: FastAPI, context: Context, ann: Person
) -> None:
    other = Person(application(context), "ann")
    job = begun(ann)["id"]
    eventually(lambda: ann.get(f"{JOBS}/{job}")["status"] == "running", "it runs")
    other.post(f"{JOBS}/{job}/cancel")
    assert ended(ann, job)["status"] == "cancelled"


def test_a_job_that_waits_never_begins_when_it_is_cancelled(ann: Person) -> None:
    jobs = [begun(ann)["id"] for _ in range(running.THREADS + 1)]
    assert ann.post(f"{JOBS}/{jobs[-1]}/cancel")["status"] == "cancelled"
    for job in jobs[:-1]:
        ann.post(f"{JOBS}/{job}/cancel")
        ended(ann, job)
    assert ann.get(f"{JOBS}/{jobs[-1]}")["started_at"] is None


def test_one_user_has_so_many_statements_at_once(ann: Person, ben: Person) -> None:
    jobs = [begun(ann)["id"] for _ in range(queries.MOST_GOING)]
    answer = ann.call("POST", QUERY, {"sql": "SELECT 1"})
    assert (code(answer), answer.status_code) == ("rate_limited", 429)
    assert answer.headers["Retry-After"]
    assert begun(ben)["status"] in ("queued", "running")
    ann.post(f"{JOBS}/{jobs[0]}/cancel")
    ended(ann, jobs[0])
    begun(ann)


def test_jobs_are_of_their_user_alone(app: FastAPI, context: Context, ann: Person) -> None:
    job = ann.post(QUERY, {"sql": "SELECT 1"})["job"]
    with context.metadata.transaction() as tx:
        tx.people.add(User("ada", "", True, START))
    for name in ("ben", "ada"):
        other = Person(app, issue(context, name, f"{name}-2"))
        assert other.get(JOBS) == []
        for method, path in (("GET", ""), ("GET", "/rows"), ("GET", "/file"), ("POST", "/cancel")):
            assert other.refused(method, f"{JOBS}/{job}{path}") == "not_found", path


def test_rows_of_a_project_are_gone_for_who_left_it(
    context: Context, ann: Person, ben: Person
) -> None:
    done(ann, ben, insert("S1"))
    job = ben.post(QUERY, {"sql": "SELECT shelf_id FROM retail.shelf_policies"})["job"]
    assert ben.get(f"{JOBS}/{job}/rows")["rows"] == [["S1"]]
    ann.call("DELETE", "/api/v1/projects/retail/members/ben")
    assert ben.refused("GET", f"{JOBS}/{job}/rows") == "query_refused"
    assert ben.refused("GET", f"{JOBS}/{job}/file") == "query_refused"


def test_a_job_whose_process_ended_is_interrupted(
    app: FastAPI, context: Context, ann: Person
) -> None:
    job = begun(ann)["id"]
    app.state.runner.close()
    assert ended(ann, job)["status"] == "interrupted"
    after = Person(application(context), "ann")
    assert after.get(f"{JOBS}/{job}")["status"] == "interrupted"
    assert after.refused("GET", f"{JOBS}/{job}/rows") == "transition_refused"


def test_a_job_whose_process_was_killed_is_interrupted_when_it_is_late(
    context: Context, ann: Person, clock: Clock
) -> None:
    killed = running.Runner(context)
    held = killed.hold(Caller("ann"), "query", {})
    killed._closed.set()  # it says no more that it lives
    assert ann.get(f"{JOBS}/{held.job.id}")["status"] == "running"
    clock.pass_(seconds=running.LATE.total_seconds())
    seen = ann.get(f"{JOBS}/{held.job.id}")
    assert (seen["status"], seen["can"]) == ("interrupted", {"cancel": "it is interrupted"})


def test_a_job_that_cannot_be_told_to_stop_is_told_again(
    context: Context, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong with it ends no watch over the others."""
    monkeypatch.setattr(running, "BEAT_S", 0.01)
    runner = running.Runner(context)
    held = runner.hold(Caller("ann"), "query", {})
    told = []

    def stop() -> None:
        told.append(held.job.id)
        raise OSError("it is gone")

    held.stop_by(stop)
    ann.post(f"{JOBS}/{held.job.id}/cancel")
    eventually(lambda: len(told) > 1, "it is told again")
    runner.end(held, "cancelled", {})
    runner.close()


def test_a_statement_that_has_just_ended_is_stopped_in_vain() -> None:
    connection = duck.connected()
    connection.close()
    duck.interrupt(connection)


def test_rows_are_kept_for_an_hour(app: FastAPI, ann: Person, tmp_path: Path) -> None:
    kept: results.Results = app.state.results
    job = ann.post(QUERY, {"sql": "SELECT 1"})["job"]
    [file] = kept.folder.iterdir()
    kept.sweep(file.stat().st_mtime + results.KEPT_S - 1)
    assert ann.get(f"{JOBS}/{job}/rows")["rows"] == [[1]]
    kept.sweep(file.stat().st_mtime + results.KEPT_S)
    answer = ann.call("GET", f"{JOBS}/{job}/rows")
    assert (code(answer), answer.status_code) == ("gone", 410)


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(
    context: Context, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    app = application(context, serving=Serving(results=tmp_path / "file"))
    person = Person(app, issue(context, "ann", "ann-2"))
    answer = person.call("POST", QUERY, {"sql": "SELECT 1"})
    assert (code(answer), answer.status_code) == ("storage_unavailable", 503)


@pytest.fixture
def opened() -> threading.Event:
    """What a call waits for that takes long."""
    return threading.Event()


@pytest.fixture
def impatient(context: Context, ann: Person, opened: threading.Event) -> Iterator[str]:
    """Address of an API that waits for no call."""
    app = application(context, serving=Serving(patience_s=0.05))

    @app.post("/api/v1/slow")
    def slow(fails: bool = False) -> dict[str, Any]:
        opened.wait(60)
        if fails:
            raise GovernanceError("conflicts", "two of them", details={"count": 2})
        return {"number": 7, "secret": "never kept"}

    @app.get("/api/v1/broken")
    def broken() -> None:
        opened.wait(60)
        raise RuntimeError("the secret is 42")

    with listening(app) as address:
        yield address
    app.state.runner.close()


def test_a_call_that_takes_long_is_answered_by_a_job_and_goes_on(
    opened: threading.Event, ann: Person, ben: Person, impatient: str
) -> None:
    with httpx.Client(base_url=impatient, headers={"Authorization": "Bearer ann"}) as client:
        key = {"X-Request-ID": "slow-1"}
        first = client.post("/api/v1/slow", headers=key)
        assert (first.status_code, first.json()["kind"]) == (202, "call")
        again = client.post("/api/v1/slow", headers=key)
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
        path = f"{JOBS}/{first.json()['id']}"
    assert ann.get(path)["status"] == "running"
    assert ann.refused("POST", f"{path}/cancel") == "transition_refused"
    assert ben.refused("GET", path) == "not_found"
    opened.set()
    job = ended(ann, first.json()["id"])
    assert (job["status"], job["result"]) == ("done", {"status": 200, "body": {"number": 7}})


def test_the_client_waits_for_calls_that_take_long(opened: threading.Event, impatient: str) -> None:
    with Client(impatient, "ann") as client:
        opener = threading.Timer(0.2, opened.set)
        opener.start()
        assert client._calls.post("/slow") == {"number": 7}
        opened.clear()
        threading.Timer(0.2, opened.set).start()
        with pytest.raises(GovernanceError) as refused:
            client._calls.post("/slow?fails=true")
        assert (refused.value.code, refused.value.details) == ("conflicts", {"count": 2})
        opened.clear()
        threading.Timer(0.2, opened.set).start()
        with pytest.raises(GovernanceError) as broken:
            client._calls.get("/broken")
        assert (broken.value.code, "42" in broken.value.message) == ("internal", False)


def test_the_client_pages_through_rows_of_a_statement_that_took_long(
    ann: Person, address: str
) -> None:
    with Client(address, "ann") as client:
        job = begun(ann, "SELECT * FROM range(2500)")["id"]
        ended(ann, job)
        assert len(client._rows(job, 2_200)["rows"]) == 2_200
        assert client.query("SELECT 7 AS n")["rows"] == [[7]]
        with pytest.raises(GovernanceError) as refused:
            client.cancel_job(job)
        assert refused.value.code == "transition_refused", "it has ended"

"""Uploads, jobs and runs of the validation."""

from __future__ import annotations

from dataclasses import replace

from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.tables.work import BackgroundJob, Upload, ValidationRun
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import HOUR, code, open_shop

JOB = BackgroundJob("j1", "", "ben", "query", {"sql": "SELECT 1"}, "queued", NOW, "w1", NOW + HOUR)
UPLOAD = Upload(
    "u1",
    "retail",
    "wh_policies",
    "ben",
    "a.csv",
    "csv",
    "upsert",
    9,
    "9f3c",
    "raw",
    7,
    {},
    NOW,
    NOW,
)
RUN = ValidationRun(
    "v1",
    "retail",
    "wh_policies",
    1,
    1,
    None,
    "submit",
    1,
    7,
    "9f3c",
    True,
    {"warning": 2},
    NOW,
    NOW,
)


def test_a_job_ends_once(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        job = tx.jobs.add(JOB)
        assert tx.jobs.begin(job, NOW)
        assert not tx.jobs.begin(job, NOW)
        tx.jobs.report(job, {"rows": 10})
        assert tx.jobs.end(job, "done", {"request": 1}, NOW + HOUR)
        assert not tx.jobs.end(job, "failed", {}, NOW + 2 * HOUR)
        tx.jobs.report(job, {"rows": 20})
        ended = tx.jobs.get("j1", "ben")
        assert (ended.status, ended.progress, ended.result) == (
            "done",
            {"rows": 10},
            {"request": 1},
        )
        assert tx.jobs.forget(NOW) == 0
        assert tx.jobs.forget(NOW + HOUR) == 1


def test_a_job_is_of_its_user_alone(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        job = tx.jobs.add(JOB)
        assert tx.jobs.all("ben") == [job]
        assert tx.jobs.all("ann") == []
        assert code(lambda: tx.jobs.get("j1", "ann")) == "not_found"
        assert (tx.jobs.going("ben", "query"), tx.jobs.going("ben", "other")) == (1, 0)


def test_a_job_whose_process_says_nothing_is_interrupted(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        tx.jobs.add(JOB)
        other = tx.jobs.add(replace(JOB, id="j2", worker="w2"))
        tx.jobs.begin(other, NOW)
        assert tx.jobs.hold("w1", NOW + 2 * HOUR) == []
        assert tx.jobs.interrupt(NOW + HOUR) == 1
        assert (tx.jobs.get("j1", "ben").status, tx.jobs.get("j2", "ben").status) == (
            "queued",
            "interrupted",
        )
        assert not tx.jobs.end(other, "done", {}, NOW + HOUR)
        assert tx.jobs.interrupt(NOW, "w1") == 1


def test_a_job_is_cancelled_as_far_as_it_is(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        running, waiting = tx.jobs.add(JOB), tx.jobs.add(replace(JOB, id="j2"))
        tx.jobs.begin(running, NOW)
        asked = tx.jobs.cancel(running, NOW)
        assert (asked.status, asked.cancel_requested_at) == ("running", NOW)
        ended = tx.jobs.cancel(waiting, NOW)
        assert (ended.status, ended.ended_at) == ("cancelled", NOW)
        assert tx.jobs.cancel(ended, NOW + HOUR) == ended
        assert [job.id for job in tx.jobs.hold("w1", NOW + HOUR)] == ["j1"]


def test_an_upload_goes_from_status_to_status_once(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        open_shop(tx)
        tx.uploads.add(UPLOAD)
        typed = tx.uploads.advance(UPLOAD, "typed", NOW + HOUR, {"rows": 2**70})
        assert typed == replace(
            UPLOAD, status="typed", updated_at=NOW + HOUR, report={"rows": 2**70}
        )
        assert code(lambda: tx.uploads.advance(UPLOAD, "failed", NOW, {})) == "state_changed"
        assert tx.uploads.get("retail", "u1") == typed
        assert code(lambda: tx.uploads.get("other", "u1")) == "not_found"
        assert tx.uploads.all("retail", "wh_policies") == tx.uploads.all("retail") == [typed]
        assert tx.uploads.old(NOW) == []
        assert tx.uploads.old(NOW + HOUR) == [typed]
        tx.uploads.remove(typed)
        assert tx.uploads.all("retail") == []


def test_runs_are_found_by_what_they_judged(metadata: Metadata) -> None:
    later = replace(RUN, id="v2", passed=False, ended_at=NOW + HOUR)
    of_session = replace(RUN, id="v3", request=None, revision=None, session="s1", point="preview")
    with metadata.transaction() as tx:
        open_shop(tx)
        for run in (RUN, later, of_session):
            tx.runs.add(run)
        assert tx.runs.of_request("retail", 1) == [later, RUN]
        assert tx.runs.get("retail", "v1") == RUN
        assert code(lambda: tx.runs.get("other", "v1")) == "not_found"

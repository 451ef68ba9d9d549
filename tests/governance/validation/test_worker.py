"""The process that judges can be killed, stopped, missing or mad: then there is no verdict, and never a good one."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.contracts.types import LONG
from lakeshelf.governance.domain.definition import RowRule
from lakeshelf.governance.domain.findings import ValidationReport
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.validation.remote import DEADLINES, PATH, Worker
from tests.governance.validation.model import defined, judged
from tests.governance.worker import Process

RULE = RowRule("positive", "between", ("a",), {"minimum": 0})
DEFINITION = defined({"a": LONG}, RULE)
IMPATIENT = dict.fromkeys(DEADLINES, 0.5)


def report(worker: Worker) -> ValidationReport:
    return judged(worker, DEFINITION, [{"row_id": "1", "a": -1}, {"row_id": "2", "a": 1}])


def refused(worker: Worker) -> str:
    with pytest.raises(GovernanceError) as refusal:
        report(worker)
    assert (refusal.value.code, refusal.value.status) == ("validator_unavailable", 503)
    return str(refusal.value)


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[Worker]:
    """A server that takes a frame for what it is and answers what it likes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Worker(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def test_a_sensible_answer_of_another_server_is_taken() -> None:
    with answering(b'{"rows":2,"verdicts":[{"unexpected":[0],"raised":null}]}') as worker:
        assert [f.row_id for f in report(worker).findings] == ["1"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"[]",
        b"{}",
        b'{"rows":2,"verdicts":[]}',
        b'{"rows":1,"verdicts":[{"unexpected":[],"raised":null}]}',
        b'{"rows":2,"verdicts":[{"unexpected":[],"raised":null},{"unexpected":[],"raised":null}]}',
        b'{"rows":2,"verdicts":[{"unexpected":[2],"raised":null}]}',
        b'{"rows":2,"verdicts":[{"unexpected":[-1],"raised":null}]}',
        b'{"rows":2,"verdicts":[{"unexpected":["0"],"raised":null}]}',
        b'{"rows":2,"verdicts":[{"unexpected":null,"raised":null}]}',
        b'{"rows":2,"verdicts":[{"unexpected":[]}]}',
        b'{"rows":2,"verdicts":[{"unexpected":[],"raised":null,"success":true}]}',
    ],
)
def test_an_answer_that_is_none_is_no_verdict(body: bytes) -> None:
    with answering(body) as worker:
        assert "gave no verdict: its answer is" in refused(worker)


@pytest.mark.parametrize("status", [204, 301, 404, 413, 500])
def test_a_refusal_is_no_verdict(status: int) -> None:
    with answering(b'{"rows":2,"verdicts":[{"unexpected":[],"raised":null}]}', status) as worker:
        assert f"it answers {status}" in refused(worker)


def test_a_worker_that_was_not_started_gives_no_verdict(tmp_path: Path) -> None:
    assert "does not answer" in refused(Worker(str(tmp_path / "none.sock")))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "does not answer" in refused(Worker(f"http://127.0.0.1:{port}"))


def test_a_worker_that_drips_its_answer_is_late() -> None:
    """No pause between two bytes is as long as the deadline: the whole of the answer is what is waited for."""
    with answering(b" " * 2000) as worker:
        clock = iter(range(0, 10**6, 70))
        late = Worker(worker.address, clock=lambda: next(clock))
        assert "took more than 60 s" in refused(late)


def test_a_stopped_worker_is_late_and_judges_again_once_it_goes_on(process: Process) -> None:
    process.send(signal.SIGSTOP)
    try:
        said = refused(Worker(process.address, IMPATIENT))
    finally:
        process.send(signal.SIGCONT)
    assert "took more than 0.5 s" in said
    assert [f.row_id for f in report(process.worker).findings] == ["1"]


def test_a_worker_killed_while_it_judges_gives_no_verdict_and_a_new_one_does(
    process: Process,
) -> None:
    """Stopped with the question in its hands, then killed."""
    process.send(signal.SIGSTOP)
    asked = threading.Event()

    class Asking(Worker):
        def _asked(self, point: object, request: bytes) -> bytes:
            asked.set()
            return super()._asked(point, request)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(refused, Asking(process.address))
        assert asked.wait(60)
        process.kill()
        assert "does not answer" in answer.result(120)
    assert "does not answer" in refused(process.worker)
    process.start()
    assert [f.row_id for f in report(process.worker).findings] == ["1"]


def test_questions_at_once_have_their_own_answers(worker: Worker) -> None:
    def wrong(bad: int) -> list[str | None]:
        rows = [{"row_id": str(n), "a": -1 if n == bad else 1} for n in range(20)]
        return [f.row_id for f in judged(worker, DEFINITION, rows).findings]

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(wrong, range(20))] == [[str(n)] for n in range(20)]


def test_only_the_user_reaches_the_socket(process: Process) -> None:
    assert Path(process.address).stat().st_mode & 0o077 == 0


def test_a_frame_beyond_the_limit_is_refused_and_the_worker_lives(process: Process) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(process.address)
        asking.sendall(
            f"POST {PATH} HTTP/1.1\r\nhost: w\r\ncontent-length: {2**40}\r\n\r\n".encode()
        )
        assert asking.recv(100).startswith(b"HTTP/1.1 413 ")
    assert [f.row_id for f in report(process.worker).findings] == ["1"]


def test_a_suite_that_is_none_is_no_verdict(worker: Worker) -> None:
    frame = pa.table({"measure_0": [0.0]})
    with pytest.raises(GovernanceError, match="it answers 500"):
        worker.judge("merge", [{"type": "expect_nothing", "kwargs": {}, "meta": {}}], frame)


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOADED = """
import sys
print('great_expectations' in sys.modules)
"""
WATCHED = """
import sys
asked = []
def heard(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        asked.append(event)
sys.addaudithook(heard)
"""
JUDGING = """
import atexit
import pyarrow as pa
from lakeshelf.governance.validation import worker
def judge(*_, **__):
    frame = pa.table({"m": [1.0, None]})
    suite = [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "m"}, "meta": {}}]
    assert worker.judged(frame, suite).verdicts[0].unexpected == [1]
worker.uvicorn.Server.run = judge
worker.main("http://127.0.0.1:0")
atexit._run_exitfuncs()  # what waits to be told is told at the end
print(asked)
"""
ASKING = """
import pyarrow as pa
import lakeshelf.governance.validation.definitions, lakeshelf.governance.validation.judging
from lakeshelf.governance.validation.remote import Worker
suite = [{{"type": "expect_column_values_to_not_be_null", "kwargs": {{"column": "m"}}, "meta": {{}}}}]
verdict, = Worker({address!r}).judge("merge", suite, pa.table({{"m": [1.0, None]}}))
assert verdict.unexpected == [1]
print(asked)
"""


def test_great_expectations_is_in_the_worker_and_asks_nobody_on_the_network() -> None:
    assert run(WATCHED + JUDGING + LOADED).splitlines() == ["[]", "True"]


def test_whoever_asks_the_worker_does_not_load_it(process: Process) -> None:
    """The connection to the worker is one that is heard."""
    asking = ASKING.format(address=process.address)
    assert run(WATCHED + asking + LOADED).splitlines() == ["['socket.connect']", "False"]

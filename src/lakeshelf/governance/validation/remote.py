"""The process that judges, asked over HTTP: whatever keeps it from an answer is `validator_unavailable`.

docs/design/governance.md#validation
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, ValidationError

from lakeshelf.errors import first_line
from lakeshelf.governance.domain.findings import Point
from lakeshelf.governance.errors import GovernanceError, refused

SUITE = b"suite"
"""Key of the expectations in the metadata of a request's schema."""
ARROW = "application/vnd.apache.arrow.stream"
PATH = "/judgements"
_HEARD_S = 1.0
DEADLINES: Mapping[Point, float] = {
    "cell": 5.0,
    "preview": 30.0,
    "submit": 60.0,
    "approve": 60.0,
    "merge": 60.0,
    "restore": 60.0,
}
"""Seconds that a frame may take; a full one takes two."""


class ExpectationResult(BaseModel):
    """What became of an expectation.

    Attributes:
        unexpected: Rows of the frame that it does not hold for.
        raised: Why it could not be judged; None: it was.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    unexpected: list[Annotated[int, Ge(0)]]
    raised: str | None


class FrameResult(BaseModel):
    """What became of a frame.

    Attributes:
        rows: Rows that were judged.
        verdicts: One for each expectation, in their order.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    rows: int
    verdicts: list[ExpectationResult]


@dataclass(frozen=True)
class Worker:
    """The process that judges, wherever it is.

    Attributes:
        address: Its socket's path, or http://host:port.
        deadlines: Seconds that a frame may take.
        clock: Seconds that only grow.
    """

    address: str
    deadlines: Mapping[Point, float] = field(default_factory=lambda: DEADLINES)
    clock: Callable[[], float] = time.monotonic

    def judge(
        self, point: Point, suite: Sequence[Mapping[str, Any]], frame: pa.Table
    ) -> list[ExpectationResult]:
        """Have every row of a frame judged.

        Args:
            point: When rows are judged, which sets the deadline.
            suite: Configurations of expectations.
            frame: Their measures.

        Raises:
            GovernanceError: `validator_unavailable`: it is not there, died, did not answer in time, or not sensibly.
        """
        try:
            answer = FrameResult.model_validate_json(self._asked(point, _request(suite, frame)))
        except ValidationError as error:
            raise self._unavailable(f"its answer is none ({first_line(error)})") from error
        except httpx.TimeoutException as error:
            raise self._late(point) from error
        except (httpx.HTTPError, OSError) as error:
            reason = first_line(error) or type(error).__name__
            raise self._unavailable(f"it does not answer ({reason})") from error
        if not _fits(answer, suite, frame):
            raise self._unavailable("its answer is to another question")
        return answer.verdicts

    def _asked(self, point: Point, request: bytes) -> bytes:
        seconds = self.deadlines[point]
        end = self.clock() + seconds
        body = bytearray()
        headers = {"content-type": ARROW}
        with self._client.stream(
            "POST", PATH, content=request, headers=headers, timeout=seconds
        ) as response:
            for part in response.iter_bytes():
                body += part
                if self.clock() > end:
                    raise self._late(point)
        if response.status_code != httpx.codes.OK:
            raise self._unavailable(
                f"it answers {response.status_code} ({body[:200].decode(errors='replace')})"
            )
        return bytes(body)

    @cached_property
    def _client(self) -> httpx.Client:
        """A connection for each request, so that none outlives the process that it leads to."""
        remote = "://" in self.address
        transport = httpx.HTTPTransport(
            verify=False,  # it is plain HTTP, and a context of certificates is slow to make
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
            uds=None if remote else self.address,
        )
        base = self.address if remote else "http://worker"
        return httpx.Client(transport=transport, base_url=base, trust_env=False)

    def _late(self, point: Point) -> GovernanceError:
        return self._unavailable(f"it took more than {self.deadlines[point]:g} s")

    def _unavailable(self, why: str) -> GovernanceError:
        return refused(
            "validator_unavailable",
            f"the validator gave no verdict: {why}",
            hint="nothing was changed; see `lakeshelf status` and try again",
        )


def is_listening(worker: Worker) -> bool:
    """Whether somebody listens where the process that judges should be."""
    place = urlsplit(worker.address)
    remote = "://" in worker.address
    kind = socket.AF_INET if remote else socket.AF_UNIX
    target = (place.hostname or "127.0.0.1", place.port or 80) if remote else worker.address
    with socket.socket(kind) as asking:
        asking.settimeout(_HEARD_S)
        return asking.connect_ex(target) == 0


def _request(suite: Sequence[Mapping[str, Any]], frame: pa.Table) -> bytes:
    annotated = frame.replace_schema_metadata({SUITE: json.dumps(suite)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, annotated.schema) as stream:
        stream.write_table(annotated)
    return bytes(sink.getvalue())


def _fits(answer: FrameResult, suite: Sequence[Mapping[str, Any]], frame: pa.Table) -> bool:
    rows = len(frame)
    return (
        answer.rows == rows
        and len(answer.verdicts) == len(suite)
        and all(max(verdict.unexpected, default=-1) < rows for verdict in answer.verdicts)
    )

"""Spans of batches and their steps reach whoever collects traces, and nobody waits for that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lakeshelf import logs
from lakeshelf.settings import load_settings
from lakeshelf.streams.run import measuring
from lakeshelf.telemetry import tracing
from tests.support import logged
from tests.telemetry.receiving import receiving


def spans(bodies: Sequence[tuple[str, bytes]]) -> list[Span]:
    """Spans of what was sent."""
    requests = [
        ExportTraceServiceRequest.FromString(body) for path, body in bodies if path == tracing.PATH
    ]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_a_batch_is_a_span_and_its_steps_are_its_children(lake: Path, tmp_path: Path) -> None:
    """With the query and the number of the batch."""
    logs.begin("streams", tmp_path)
    with receiving() as server:
        settings = load_settings(otlp_endpoint=server.address)
        with tracing.sending(settings, "streams"), tracing.span("batch", query="wh", batch_id=7):
            for step in ("take", "ledger"):
                with measuring.step("wh", step):
                    pass
        request = ExportTraceServiceRequest.FromString(server.bodies[0][1])
        sent = {span.name: span for span in spans(server.bodies)}
    assert sent.keys() == {"batch", "take", "ledger"}
    whole = sent["batch"]
    assert {sent[step].parent_span_id for step in ("take", "ledger")} == {whole.span_id}
    attributes = {one.key: one.value for one in whole.attributes}
    assert attributes["lakeshelf.query"].string_value == "wh"
    assert attributes["lakeshelf.batch_id"].int_value == 7
    process = {
        one.key: one.value.string_value for one in request.resource_spans[0].resource.attributes
    }
    assert process["service.name"] == "lakeshelf-streams"
    assert process["service.instance.id"] == logs.run_id()


def test_nothing_is_sent_where_nobody_asks(lake: Path) -> None:
    """A step costs nothing more."""
    with tracing.sending(load_settings(), "streams"), tracing.span("batch") as span:
        assert span is None


def test_a_collector_that_refuses_is_told_once_and_stops_nothing(
    lake: Path, tmp_path: Path
) -> None:
    """However many spans are lost."""
    logs.begin("streams", tmp_path)
    with receiving() as server:
        server.status = 400
        for _ in range(2):
            with tracing.sending(load_settings(otlp_endpoint=server.address), "streams"):
                for number in range(3):
                    with tracing.span("batch", batch_id=number):
                        pass
    lines = [line for line in logged(tmp_path) if line.event == "traces not sent"]
    assert len(lines) == 2
    assert lines[0].level == "warning"

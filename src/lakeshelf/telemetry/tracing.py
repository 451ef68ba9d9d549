"""Traces: a span a batch, a child a step, sent by OTLP over HTTP; off unless settings name an endpoint.

Spans are sent beside the work: an endpoint that is slow or away loses spans and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from lakeshelf import __version__, extras, logs
from lakeshelf.errors import MissingExtra
from lakeshelf.logs import log
from lakeshelf.settings import Settings

EXTRA = "tracing"
ANSWER_S, END_S = 5, 10
"""Longest wait for an answer, and for all that is left at the end, seconds."""
PATH = "/v1/traces"

_tracers: list[Any] = []


def span(name: str, **attributes: str | int) -> AbstractContextManager[Any]:
    """Measure a block as a span below the one that it stands in; nothing where nobody traces."""
    if not _tracers:
        return nullcontext()
    named = {f"lakeshelf.{key}": value for key, value in attributes.items()}
    opened: AbstractContextManager[Any] = _tracers[-1].start_as_current_span(name, attributes=named)
    return opened


@contextmanager
def sending(settings: Settings, part: str) -> Iterator[None]:
    """Send spans of this process for as long as the block takes, if settings name an endpoint.

    Raises:
        MissingExtra: The extra is not installed.
    """
    if settings.otlp_endpoint is None:
        yield
        return
    extras.require(EXTRA)
    try:
        provider = _provider(settings.otlp_endpoint, part)
    except ModuleNotFoundError as error:  # others bring a part of it, which alone is not enough
        raise MissingExtra(f"{error.name} is not installed", hint=extras.way([EXTRA])) from error
    tracer = provider.get_tracer("lakeshelf", __version__)
    _tracers.append(tracer)
    try:
        yield
    finally:
        _tracers.remove(tracer)
        provider.force_flush(END_S * 1000)
        provider.shutdown()


def _provider(endpoint: str, part: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    _quiet()
    process = {
        "service.name": f"lakeshelf-{part}",
        "service.version": __version__,
        "service.instance.id": logs.run_id(),
    }
    provider = TracerProvider(resource=Resource.create(process), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint.rstrip("/") + PATH, timeout=ANSWER_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class _Once(logging.Handler):
    """Says once what keeps spans from being sent, in the log of the process."""

    is_said = False

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, the first time."""
        if not self.is_said:
            self.is_said = True
            log.warning("traces not sent", error=logs.masked(record.getMessage()))


def _quiet() -> None:
    """Have the library say what is wrong in our log, and once."""
    logger = logging.getLogger("opentelemetry")
    logger.handlers[:] = [_Once(logging.WARNING)]
    logger.propagate = False

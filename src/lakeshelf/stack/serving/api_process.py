"""The API of governed datasets as a process: `python -m lakeshelf.stack.serving.api_process`.

1. It opens the metadata, and makes the sample people and datasets where everything is for trying.
2. It listens, and tells so in the stack's folder.
3. It does what is due for all, while no other process of this lake does, until SIGTERM or SIGINT.
"""

from __future__ import annotations

import gc
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread

import uvicorn
from fastapi import FastAPI

from lakeshelf import extras
from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.api.door.identity import Site
from lakeshelf.governance.api.door.limits import Rates
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.people import sample
from lakeshelf.governance.services.people.identities import Provider
from lakeshelf.governance.services.upkeep import Upkeep
from lakeshelf.governance.services.webhooks import delivering
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake.place.location import Root
from lakeshelf.settings import Settings
from lakeshelf.stack.serving import beside
from lakeshelf.stack.supervision import governed, handover
from lakeshelf.status_files import API
from lakeshelf.telemetry.serving import served

PATIENCE_S = 10.0
"""Seconds for which a caller waits before a job is the answer."""
LONGEST_END_S = 5
"""Seconds that calls have to end in when the process is told to."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve; the exit code."""
    return handover.main(argv, "api", run)


def run(
    settings: Settings,
    names: Iterable[str],
    until_prepared: handover.UntilPrepared = lambda: None,
) -> None:
    """Serve in this process until a signal.

    Args:
        settings: Lake, database, address.
        names: None.
        until_prepared: Returns when the stack is there.

    Raises:
        LakeshelfError: The port is taken, or the database cannot be reached.
    """
    until_prepared()
    with Metadata.open(settings.governance_place) as metadata:
        judge = Worker(governed.worker(settings))
        context = Context(metadata, Root.at(settings.lake_root), judge)
        if governed.has_sample(settings):
            sample.make(context, governed.tokens(settings))
        listening = listener(settings)
        with _kept_up(context, settings), served(settings, "api", beats=False) as telemetry:
            places = {"address": governed.address(settings), "telemetry": telemetry.address}
            tell = partial(API.tell, settings.stack_dir, "api", places)
            tell("running")
            proxied = settings.api_origin is not None
            try:
                _serve(_application(context, settings), listening, is_behind_proxy=proxied)
            finally:
                tell("stopped")


def read(settings: Settings, show: Callable[[str, Context], None]) -> None:
    """Serve a lake without a stack, for reading, in this process until a signal.

    Args:
        settings: Lake, database, address.
        show: Called with the address and what the service stands on, before it answers.

    Raises:
        LakeshelfError: The port is taken, or the database cannot be reached.
    """
    with Metadata.open(settings.governance_place) as metadata:
        context = Context(metadata, Root.at(settings.lake_root), Worker(governed.worker(settings)))
        if governed.has_sample(settings):
            sample.make_people(context, governed.tokens(settings))
        listening = listener(settings)
        show(governed.address(settings), context)
        _serve(
            _application(context, settings, reading=True),
            listening,
            is_behind_proxy=settings.api_origin is not None,
        )


def _application(context: Context, settings: Settings, *, reading: bool = False) -> FastAPI:
    provider = governed.openid(settings)
    serving = Serving(
        Site(settings.api_origin, governed.hosts(settings)),
        settings.stack_dir / "results",
        Rates(settings.api_calls_per_s, settings.api_failures_per_minute),
        PATIENCE_S,
        settings.webhook_private_addresses,
        reading,
        None if provider is None else Provider(*provider),
    )
    app = application(context, beside.shop(settings), serving)
    if not extras.absent((governed.PAGES,)):
        from lakeshelf.ui import serving as pages  # noqa: PLC0415 - the extra may not be there

        pages.install(app)
    return app


def _serve(app: FastAPI, listening: socket.socket, *, is_behind_proxy: bool) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=is_behind_proxy,
        timeout_graceful_shutdown=LONGEST_END_S,
    )
    server = uvicorn.Server(config)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # it ends in order, and sends the signal again after
        signal.signal(number, lambda *_: None)
    gc.collect()
    gc.freeze()  # what lasts as long as the process is not looked through during a call
    try:
        server.run(sockets=[listening])
    finally:
        ended(app)


def listener(settings: Settings) -> socket.socket:
    """The socket at which the API is asked; connections send without delay.

    Raises:
        LakeshelfError: The port is taken.
    """
    family = socket.AF_INET6 if ":" in settings.api_host else socket.AF_INET
    place = (settings.api_host, governed.port(settings))
    try:
        listening = socket.create_server(place, family=family, backlog=128)
    except OSError as error:
        raise LakeshelfError(
            f"the API cannot listen at {governed.address(settings)}: {error.strerror}",
            hint="free the port, or set `api_port` to another",
        ) from error
    # Without it the second part of an answer waits 40 ms, until the caller has acknowledged the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


@contextmanager
def _kept_up(context: Context, settings: Settings) -> Iterator[None]:
    stop = Event()
    upkeep = Upkeep(context, settings.stack_dir, time.monotonic, _beside(context, settings))
    thread = Thread(target=upkeep.run, args=(stop,), name="upkeep")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beside(context: Context, settings: Settings) -> Sequence[Callable[[Event], None]]:
    """What one process does for all: webhooks are served, and what others send to the topics of datasets is taken in.

    The latter where the broker is ours: the embedded one, or that of a stack with the sample datasets.
    """
    is_private = settings.webhook_private_addresses
    webhooks = partial(delivering.follow, context, is_private=is_private)
    if not governed.has_sample(settings):
        return (webhooks,)
    from lakeshelf.governance.services import adopting  # noqa: PLC0415 - needs the extra kafka
    from lakeshelf.stack.embedded.clients import running_client  # noqa: PLC0415

    return (webhooks, partial(adopting.follow, context, partial(running_client, settings)))


if __name__ == "__main__":
    sys.exit(main())

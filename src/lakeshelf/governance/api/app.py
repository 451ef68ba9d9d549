"""The application: routes, the door before them, and what operators ask of every service."""

from __future__ import annotations

import shutil
import time
import weakref
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from lakeshelf import __version__
from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.api.door import failures
from lakeshelf.governance.api.door.calls import PREFIX, UNKNOWN, Door
from lakeshelf.governance.api.door.identity import CSRF, SAFE
from lakeshelf.governance.api.routes import (
    data,
    datasets,
    jobs,
    openid,
    outside,
    people,
    requests,
    reviews,
    runs,
    sessions,
    signing,
    uploads,
    watching,
    webhooks,
)
from lakeshelf.governance.api.routes.shop import acts, floor, models, pipeline, whatif
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.jobs.results import Results
from lakeshelf.governance.services.jobs.running import Runner
from lakeshelf.governance.services.reading import listing
from lakeshelf.governance.services.reading.newest import Newest
from lakeshelf.governance.services.shop.live import Live
from lakeshelf.governance.services.shop.running import Shop
from lakeshelf.governance.validation.remote import is_listening
from lakeshelf.lake.place import storage

if TYPE_CHECKING:
    from lakeshelf.governance.services.people.openid import OpenId

ROUTES = (
    signing,
    openid,
    people,
    datasets,
    data,
    sessions,
    requests,
    reviews,
    outside,
    runs,
    uploads,
    watching,
    jobs,
    webhooks,
    floor,
    pipeline,
    acts,
    models,
    whatif,
)


def application(
    context: Context, shop: Shop | None = None, serving: Serving | None = None
) -> FastAPI:
    """The API; what it does by itself ends with `ended`.

    Args:
        context: What its services stand on.
        shop: The shop that obeys the datasets; None: none runs.
        serving: How it is served; None: to anybody who proves who they are.
    """
    serving = serving or Serving()
    app = FastAPI(
        title="Lakeshelf",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        separate_input_output_schemas=False,
        redirect_slashes=False,
    )
    app.state.context = context
    app.state.shop = shop = shop or Shop()
    app.state.live = Live(shop.numbers, context.new_id(), time.monotonic)
    app.state.newest = Newest(partial(run_in_threadpool, listing.newest, context), time.monotonic)
    app.state.streams = Counter()
    app.state.serving = serving
    app.state.openid = _openid(serving, context)
    app.state.runner = runner = Runner(context)
    app.state.results = Results(serving.results or _for_now(app))
    failures.install(app, context.root)
    for module in ROUTES:
        app.include_router(module.routes)
    _for_operators(app, context)
    app.add_middleware(Door, context=context, runner=runner, serving=serving)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def ended(app: FastAPI) -> None:
    """End the jobs of an application, and what it does for who listens."""
    app.state.live.close()
    app.state.runner.close()
    if app.state.openid is not None:
        app.state.openid.close()


def _openid(serving: Serving, context: Context) -> OpenId | None:
    if serving.openid is None:
        return None
    from lakeshelf.governance.services.people.openid import OpenId  # noqa: PLC0415 - rare, and large

    return OpenId(serving.openid, context.clock)


def _for_now(app: FastAPI) -> Path:
    folder = mkdtemp(prefix="lakeshelf-results-")
    weakref.finalize(app, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _for_operators(app: FastAPI, context: Context) -> None:
    """What Dockerflow asks of a service: which it is, whether it and what it needs is well."""

    @app.get("/__version__", tags=["operators"])
    def version() -> dict[str, str]:
        """Which release this is."""
        return {"source": "lakeshelf", "version": __version__, "commit": "", "build": ""}

    @app.get("/__lbheartbeat__", tags=["operators"])
    def lb_heartbeat() -> dict[str, str]:
        """Whether this process answers."""
        return {"status": "ok"}

    @app.get("/__heartbeat__", tags=["operators"], responses={503: {"description": "not well"}})
    def heartbeat() -> JSONResponse:
        """Whether this process and what it needs are well."""
        checks = {name: _passes(check, context) for name, check in CHECKS.items()}
        well = all(outcome == "ok" for outcome in checks.values())
        status = "ok" if well else "error"
        return JSONResponse({"status": status, "checks": checks}, 200 if well else 503)


def _passes(check: Callable[[Context], object], context: Context) -> str:
    try:
        return "error" if check(context) is False else "ok"
    except (LakeshelfError, OSError) as error:
        return f"error: {type(error).__name__}"


def _database(context: Context) -> None:
    with context.metadata.reading() as tx:
        tx.events.newest()


def _storage(context: Context) -> None:
    files, base = storage.filesystem(context.root)
    files.get_file_info(base)


CHECKS: dict[str, Callable[[Context], object]] = {
    "database": _database,
    "storage": _storage,
    "validator": lambda context: is_listening(context.worker),
}
"""What a heartbeat looks at."""


SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "lakeshelf",
        "description": "Set by POST /api/v1/sign_in; the port follows the name.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": CSRF,
        "description": "Told by POST /api/v1/sign_in and GET /api/v1/me; calls also need a same-origin Origin.",
    },
}
"""How callers prove who they are."""


def _security(path: str, method: str) -> list[dict[str, list[str]]]:
    if path in UNKNOWN:
        return []
    by_cookie: dict[str, list[str]] = {"cookie": []}
    if method.upper() not in SAFE:
        by_cookie["csrf"] = []
    return [{"bearer": []}, by_cookie]


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, in which every refusal has the one shape."""
    if not app.openapi_schema:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["Error"] = failures.SCHEMA
        components["securitySchemes"] = SCHEMES
        for path, operations in document["paths"].items():
            if path.startswith(PREFIX):
                for method, operation in operations.items():
                    operation["security"] = _security(path, method)
        app.openapi_schema = document
    return app.openapi_schema

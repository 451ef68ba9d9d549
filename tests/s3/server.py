"""An S3 server, as a process of its own: moto's, with faults that the name of a bucket or key asks for.

delta-rs waits for some answers with the interpreter's lock held, so that a server in the same process would never
give them. moto looks whether an object is there and puts it in two steps; S3 does both at once, and so does this.

- Bucket `unconditional…`: a server that does not know conditional put, and takes every put.
- Bucket `unconditional…` or `late…`: the first put of an entry of a table's log that knows no condition is that of a
  writer who has looked, and is then late: it comes after another's put of the same entry. Version 2 is the first one.
- Bucket `deaf…`: the commit of version 2 of a table is made, but the answer to it is lost; so is that to the first
  renewal of each lease.
- What needs a permission that the page on buckets does not name is refused, unless nobody signed it, as the tests do
  who make a bucket.
- Access key `EXPIRED…`, `WRONG…` or `DENIED…`: is refused, as S3 would.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.s3.permissions import allowed, needed

REFUSALS = {
    "EXPIRED": ("400 Bad Request", "ExpiredToken"),
    "WRONG": ("403 Forbidden", "InvalidAccessKeyId"),
    "DENIED": ("403 Forbidden", "AccessDenied"),
}
ENTRY = re.compile(r"/(unconditional|late)-.*/_delta_log/(?!0{19}[01])\d{20}\.json")
LATE_S = 120.0
Environ = dict[str, Any]


class Faulty:
    """The server's application.

    Args:
        app: That of moto.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._allowed = allowed()
        self._one_put = threading.Lock()
        self._unheard: set[str] = set()
        self._late: set[str] = set()
        self._written: dict[str, threading.Event] = {}

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        for key, (status, code) in REFUSALS.items():
            if f"Credential={key}" in authorization:
                return refused(start, status, code, environ)
        request = (environ[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING"))
        if authorization and needed(*request) not in self._allowed:
            return refused(start, *REFUSALS["DENIED"], environ)
        if environ["REQUEST_METHOD"] != "PUT":
            return self._app(environ, start)
        receive(environ)
        path = environ["PATH_INFO"]
        if path.startswith("/unconditional"):
            environ.pop("HTTP_IF_NONE_MATCH", None)
        entry = self._written.setdefault(path, threading.Event())
        if ENTRY.fullmatch(path) and "HTTP_IF_NONE_MATCH" not in environ and self._is_late(path):
            entry.wait(LATE_S)
        with self._one_put:
            answer = self._put(environ, start)
        entry.set()
        return answer

    def _is_late(self, path: str) -> bool:
        bucket = path.split("/")[1]
        with self._one_put:
            is_first = bucket not in self._late
            self._late.add(bucket)
        return is_first

    def _put(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        is_renewal = "/_leases/" in path and "HTTP_IF_MATCH" in environ
        is_heard = not path.endswith(f"/_delta_log/{2:020}.json") and not is_renewal
        if not path.startswith("/deaf") or is_heard:
            return list(self._app(environ, start))
        first = path not in self._unheard
        self._unheard.add(path)
        if not first:
            return list(self._app(environ, start))
        list(self._app(environ, lambda *_: lambda _: None))
        return refused(start, "500 Internal Server Error", "InternalError", environ)


class QuietHandler(MotoRequestHandler):
    """Writes no line a request: nobody reads them, and each waits for the one before."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing."""


def receive(environ: Environ) -> None:
    """Have the whole request: a client that sleeps while it sends must keep no other waiting."""
    length = environ.get("CONTENT_LENGTH")
    if length or environ.get("wsgi.input_terminated"):
        content = environ["wsgi.input"].read(int(length) if length else -1)
        environ["wsgi.input"] = BytesIO(content)


def refused(start: Callable[..., Any], status: str, code: str, environ: Environ) -> Iterable[bytes]:
    """An answer that quotes what S3 would quote of the request."""
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
    start(status, [("Content-Type", "application/xml")])
    yield (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no\nway</Message>"
        f"<Token-0>{token}</Token-0></Error>"
    ).encode()


def main(listening: int) -> None:
    """Serve on a socket that listens, given by its number, until the process ends."""
    app = Faulty(create_backend_app("s3"))
    make_server(
        "127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler, fd=listening
    ).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))

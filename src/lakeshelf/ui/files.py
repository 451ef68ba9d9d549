"""Styles and scripts: their address holds a hash of all, so that browsers keep them as long as they are these.

Scripts are served without their comments and the blanks that mean nothing.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import rjsmin
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
"""Ending → media type; other files are not served."""
KEPT = "public, max-age=31536000, immutable"
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Assets:
    """All files, as they are when the process begins.

    Attributes:
        digest: Of names and contents.
        contents: Path → content.
        packed: Path → content, compressed.
    """

    digest: str
    contents: Mapping[str, bytes]
    packed: Mapping[str, bytes]


@cache
def assets() -> Assets:
    """Read all files, once."""
    contents = dict(sorted(_below(files("lakeshelf.ui") / "static", "")))
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    packed = {name: gzip.compress(content, mtime=0) for name, content in contents.items()}
    return Assets(digest.hexdigest()[:16], contents, packed)


def address(name: str) -> str:
    """The address of a file; modules that name each other by relative paths stay below the same hash.

    Raises:
        KeyError: There is no such file.
    """
    held = assets()
    _ = held.contents[name]
    return f"/static/{held.digest}/{name}"


@routes.get("/static/{digest}/{name:path}")
def static(request: Request, digest: str, name: str) -> Response:
    """A file; one of another release is not there, as its neighbours would not fit."""
    held = assets()
    if digest != held.digest or name not in held.contents:
        raise HTTPException(404)
    headers = {"Cache-Control": KEPT, "Vary": "Accept-Encoding"}
    content = held.contents[name]
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = held.packed[name], "gzip"
    return Response(content, media_type=TYPES[name.rpartition(".")[2]], headers=headers)


def _below(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    listed: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            listed += _below(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            listed.append((prefix + entry.name, _served(entry)))
    return listed


def _served(file: Traversable) -> bytes:
    if not file.name.endswith(".js"):
        return file.read_bytes()
    return str(rjsmin.jsmin(file.read_text(encoding="utf-8"))).encode()

"""Debian's Chromium, driven by Playwright: pages as people see them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, Route, expect, sync_playwright

PROGRAM = "chromium"
PATIENCE_MS = 30_000
"""How long something is waited for, on a machine that does other work."""

SIZES = {"desk": (1280, 720), "hand": (390, 844)}
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
PICTURES = Path(".cache") / "pages"
"""Where pictures of pages lie whose tests failed."""


class CannotRun(Exception):
    """Why no browser can be had here."""


def program() -> str:
    """The browser, installed where it is missing and that is possible.

    Raises:
        CannotRun: It is not there, and cannot be installed.
    """
    if found := shutil.which(PROGRAM):
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotRun(f"there is no {PROGRAM}, and only root installs it, by apt-get")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", PROGRAM)
    for command in (("apt-get", "update", "-qq"), install):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotRun(f"{' '.join(command)}: {done.stderr[-500:]}")
    if installed := shutil.which(PROGRAM):
        return installed
    raise CannotRun(f"{PROGRAM} is not there after its installation")


@contextmanager
def running() -> Iterator[Browser]:
    """A browser for as long as the block takes; meanwhile this thread runs no other event loop."""
    path = program()
    expect.set_options(timeout=PATIENCE_MS)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=sandbox)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def required() -> Iterator[Browser]:
    """A browser; where none can be had a test is skipped, but in continuous integration it may not go without."""
    try:
        with running() as browser:
            yield browser
    except CannotRun as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))


@contextmanager
def signed_in(browser: Browser, address: str, secret: str) -> Iterator[Page]:
    """A page of somebody who is signed in; what went wrong in it fails the test.

    Args:
        browser: The browser.
        address: Where the API listens.
        secret: Their token.
    """
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 720})
    context.set_default_timeout(PATIENCE_MS)
    answer = context.request.post(
        "/api/v1/sign_in", data={"token": secret}, headers={"Origin": address}
    )
    assert answer.ok, answer.text()
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda line: wrong.append(line.text) if _is_wrong(line.type, line.text) else None
    )
    page.on(
        "request", lambda asked: None if asked.url.startswith(address) else wrong.append(asked.url)
    )
    try:
        yield page
    except BaseException:
        pictured(page)
        raise
    finally:
        context.close()  # the server would not end before those who listen to it
    assert wrong == []


def pictured(page: Page) -> None:
    """Write what a page looks like whose test has failed, by the name of the test and its own address."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    test = os.environ.get("PYTEST_CURRENT_TEST", "page").rpartition("/")[2].partition(" (")[0]
    name = re.sub(r"\W+", "-", f"{test} {urlsplit(page.url).path}")[:200].strip("-")
    with suppress(Error):
        page.screenshot(path=PICTURES / f"{name}.png")


def _is_wrong(kind: str, text: str) -> bool:
    """Browsers tell of each answer that is no success, and of connections that tests cut."""
    return kind in {"error", "warning"} and not text.startswith("Failed to load resource")


@contextmanager
def opened(browser: Browser, contents: Mapping[str, bytes]) -> Iterator[Page]:
    """An empty page from which scripts are imported, without a server.

    Args:
        browser: The browser.
        contents: Path → content.
    """
    page = browser.new_page()

    def answer(route: Route) -> None:
        name = urlsplit(route.request.url).path[1:]
        kind = "text/javascript" if name.endswith(".js") else "text/html"
        route.fulfill(body=contents.get(name, b"<!doctype html>"), content_type=kind)

    page.route("**/*", answer)
    page.goto("http://scripts.test/")
    try:
        yield page
    finally:
        page.close()

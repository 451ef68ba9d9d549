"""`lakeshelf ui`: pages of a lake whose stack is down show it, and change nothing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import pytest

from lakeshelf.cli.platform import parts
from lakeshelf.settings import load_settings


@contextmanager
def shown(lake: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The pages of a lake: their address, and the secret by which each of the people signs in."""
    command = [sys.executable, "-m", "lakeshelf.cli.main", "--lake", str(lake), "ui"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = list(_until_it_listens(process.stdout))
        secrets = dict(re.findall(r"sign in as (\w+),.*#(\S+)", "".join(lines)))
        try:
            yield lines[0].removeprefix("pages: ").strip(), secrets
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def _until_it_listens(lines: IO[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line.startswith("Nothing can be changed"):
            return


def files(lake: Path) -> set[str]:
    kept = {"_governance", "_stack"}
    return {str(one.relative_to(lake)) for one in lake.rglob("*") if not kept & set(one.parts)}


@pytest.mark.slow
def test_a_lake_without_its_stack_is_shown_and_nothing_can_be_changed(lake: Path) -> None:
    lake.mkdir()
    (lake / "kept").write_text("by us")
    with shown(lake) as (url, secrets), httpx.Client(base_url=url) as browser:
        assert secrets.keys() == {"ann", "ben", "cat", "vic"}
        sent = {"token": secrets["ann"], "back": "/me"}
        signed_in = browser.post("/login", data=sent, headers={"Origin": url})
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/me")
        again = browser.post("/login", data=sent, headers={"Origin": url})
        assert again.status_code == 401
        csrf = browser.get("/api/v1/me").json()["csrf"]
        headers = {"Origin": url, "X-CSRF-Token": csrf}
        refused = browser.post("/api/v1/users/ann/tokens", json={}, headers=headers)
        assert refused.status_code == 503
        assert "nothing was changed" in refused.json()["error"]["message"]
        assert "lakeshelf up" in refused.json()["error"]["message"]
        assert browser.post("/api/v1/sign_out", headers=headers).status_code == 204
    assert files(lake) == {"kept"}


def test_people_whose_tokens_are_still_to_be_made_are_told_how_they_sign_in(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts.print_links(load_settings(lake_root=lake))
    said = re.findall(r"sign in as (\w+),.*users link --as (\w+)", capsys.readouterr().out)
    assert said == [(name, name) for name in ("ann", "ben", "cat", "vic")]

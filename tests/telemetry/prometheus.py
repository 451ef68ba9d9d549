"""A real Prometheus for as long as a test takes."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from lakeshelf.stack.machine import ports


def free_port() -> int:
    """A port that nobody has now, nor takes for a connection meanwhile."""
    return ports.choose(1)[0]


class Prometheus:
    """Scrapes processes every second.

    Args:
        folder: Takes its files.
        targets: Host and port of each process.
        rules: Rules that it evaluates; empty: none.
    """

    def __init__(self, folder: Path, targets: Sequence[str], rules: str = "") -> None:
        self._folder, self._port = folder, free_port()
        (folder / "rules.yml").write_text(rules or "groups: []\n")
        job = {"job_name": "lakeshelf", "static_configs": [{"targets": list(targets)}]}
        every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config = {"global": every, "rule_files": ["rules.yml"], "scrape_configs": [job]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def start(self) -> None:
        """Start it; it answers a moment later."""
        command = (
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            f"--storage.tsdb.path={self._folder / 'data'}",
        )
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def asked(self, path: str) -> dict[str, Any]:
        """What it answers; empty while it does not.

        Raises:
            ValueError: It refuses the question.
        """
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}/api/v1/{path}", timeout=10
            ) as answer:
                data: dict[str, Any] = json.load(answer)["data"]
                return data
        except urllib.error.HTTPError as refusal:
            if refusal.code == HTTPStatus.SERVICE_UNAVAILABLE:  # it starts
                return {}
            raise ValueError(refusal.read().decode()) from refusal
        except OSError:
            return {}

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        listed = self.asked("alerts").get("alerts", [])
        return {alert["labels"]["alertname"] for alert in listed if alert["state"] == "firing"}

    def values(self, expression: str) -> list[float]:
        """Values of an expression now."""
        result = self.asked(f"query?query={urllib.parse.quote(expression)}").get("result", [])
        return [float(series["value"][1]) for series in result]

    def value(self, expression: str) -> float | None:
        """The first of them; None: there is none."""
        return next(iter(self.values(expression)), None)

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

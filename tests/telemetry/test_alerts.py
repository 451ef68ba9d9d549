"""Alerts, runbooks and dashboards speak of metrics that there are, and every alert fires when it should."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakeshelf.telemetry.metrics import METRICS, PREFIX
from tests.telemetry.series import series

HOME = Path(__file__).parents[2]
FOLDER = HOME / "infra" / "prometheus"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]
}
DASHBOARDS = sorted((HOME / "infra" / "grafana" / "dashboards").glob("*.json"))
SECTIONS = ("Symptom", "First look", "Causes", "Way out")
SERIES = {name for metric in METRICS.values() for name in series(metric)}


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus's own checker."""
    if shutil.which("promtool") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            pytest.skip("promtool is not installed (Debian's package prometheus)")
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "prometheus"]):
            subprocess.run(["apt-get", "-qq", *command], env=quiet, check=True, capture_output=True)
    return str(shutil.which("promtool"))


def checked(promtool: str, *arguments: object) -> str:
    """What the checker says; that it refuses fails here."""
    command = [promtool, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions(dashboard: Path) -> Iterator[str]:
    """Expressions of a dashboard's panels, with all values of its variables."""
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$query", ".*")


def named(text: str) -> set[str]:
    """Series of ours that a text names."""
    return set(re.findall(rf"\b{PREFIX}[a-z_]+", text))


@pytest.mark.slow
@pytest.mark.setup
def test_the_rules_are_valid_and_every_alert_fires_in_its_test(promtool: str) -> None:
    """Prometheus's own tool runs the tests."""
    checked(promtool, "check", "config", FOLDER / "prometheus.yml")
    checked(promtool, "check", "rules", FOLDER / "rules.yml")
    checked(promtool, "test", "rules", FOLDER / "tests.yml")


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_tests_both_ways(alert: str) -> None:
    """One in which it fires, one in which it is quiet."""
    cases = [
        case["exp_alerts"]
        for test in yaml.safe_load((FOLDER / "tests.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    ]
    assert sorted(map(bool, cases)) == [False, True]


@pytest.mark.slow
@pytest.mark.setup
def test_a_rule_that_never_fires_fails_its_test(promtool: str, tmp_path: Path) -> None:
    """With another bound the tests of the rules are red."""
    shutil.copy(FOLDER / "tests.yml", tmp_path)
    rules = (FOLDER / "rules.yml").read_text()
    (tmp_path / "rules.yml").write_text(rules.replace("query_up) == 0", "query_up) == 2"))
    command = [promtool, "test", "rules", tmp_path / "tests.yml"]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_names_declared_metrics_and_its_runbook(alert: str) -> None:
    """Whoever is woken finds what to do."""
    rule = ALERTS[alert]
    assert named(rule["expr"]) <= SERIES
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["runbook"] == f"docs/runbooks.md#{alert.lower()}"
    runbooks = (HOME / "docs" / "runbooks.md").read_text()
    (section,) = re.findall(rf"^## {alert}\n(.*?)(?=^## |\Z)", runbooks, re.M | re.S)
    for part in SECTIONS:
        assert f"**{part}.**" in section, part


@pytest.mark.slow
@pytest.mark.setup
def test_every_expression_of_the_dashboards_is_valid(promtool: str, tmp_path: Path) -> None:
    """As a recording rule, each is parsed by Prometheus."""
    texts = [text for dashboard in DASHBOARDS for text in expressions(dashboard)]
    rules = [{"record": f"x:{number}", "expr": text} for number, text in enumerate(texts)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    assert f"{len(texts)} rules found" in checked(promtool, "check", "rules", file)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_names_declared_metrics(dashboard: Path) -> None:
    """A panel of a metric that is not there would stay empty."""
    texts = list(expressions(dashboard))
    assert texts
    for text in texts:
        assert named(text) <= SERIES, text

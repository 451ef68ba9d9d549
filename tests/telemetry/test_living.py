"""Alerts with a real Prometheus, a real driver and a real broker: each fires for what it is there for, and none before.

The rules are those of `infra/prometheus/rules.yml`, with seconds for minutes.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.machine import ports
from lakeshelf.stack.supervision.driving import SCRATCH
from lakeshelf.telemetry.metrics import BATCH_STEPS
from tests.support import eventually, make_topics
from tests.telemetry.prometheus import Prometheus, free_port
from tests.telemetry.receiving import Received, receiving
from tests.telemetry.scraping import Scraper
from tests.telemetry.test_alerts import FOLDER, promtool
from tests.telemetry.test_tracing import spans

__all__ = ["promtool"]
pytestmark = [pytest.mark.slow, pytest.mark.setup, pytest.mark.faults]
JOBS = ("foot-traffic-raw-sink", "wh-aggregator")
FAST = {
    "for: 1m": "for: 2s",
    "for: 10m": "for: 2s",
    "for: 30s": "for: 2s",
    "[10m]": "[15s]",
    "[15m]": "[30s]",
}
ROWS = 20
"""Most records of a batch, so that more can be sent than are folded."""
WATCHED_S = "30"
"""Long enough for several batches of a busy machine."""


def fast_rules() -> str:
    """The alerts of the product, with seconds for minutes."""
    rules = (FOLDER / "rules.yml").read_text()
    for minutes, seconds in FAST.items():
        rules = rules.replace(minutes, seconds)
    return rules


class Watched:
    """A driver that Prometheus watches.

    Args:
        folder: Of everything.
        collector: Takes traces.
    """

    def __init__(self, folder: Path, collector: Received) -> None:
        self.folder, self.collector = folder, collector
        self.telemetry, self.jvms = free_port(), two_free_ports()
        self.settings = load_settings(lake_root=folder / "lake", jvm_metrics_port=self.jvms)
        self.broker = Broker(self.settings)
        told_at = (self.telemetry, self.jvms, self.jvms + 1)
        self.prometheus = Prometheus(folder, [f"127.0.0.1:{p}" for p in told_at], fast_rules())
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scraper = Scraper(f"http://127.0.0.1:{self.telemetry}")

    def begin(self) -> None:
        """Start broker, driver and Prometheus."""
        self.broker.start(die_with_parent=True)
        self.broker.wait_healthy()
        make_topics(self.client)
        tables.ensure_all(self.settings.lake_root)
        self.prometheus.start()
        self.scraper.start()
        self.left_by_a_killed_one.mkdir(parents=True)
        module = "lakeshelf.stack.supervision.streams_process"
        environment = {
            "LAKESHELF_LAKE_ROOT": str(self.settings.lake_root),
            "LAKESHELF_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "LAKESHELF_TELEMETRY_PORT": str(self.telemetry),
            "LAKESHELF_JVM_METRICS_PORT": str(self.jvms),
            "LAKESHELF_MAX_BATCH_ROWS": str(ROWS),
            "LAKESHELF_LOG_LEVEL": "debug",
            "LAKESHELF_OPENLINEAGE_FILE": str(self.folder / "lineage.jsonl"),
            "LAKESHELF_OPENLINEAGE_EVERY_BATCHES": "2",
            "LAKESHELF_OTLP_ENDPOINT": self.collector.address,
        }
        self._start([sys.executable, "-m", module, "--jobs", ",".join(JOBS)], environment)

    @property
    def client(self) -> dict[str, str]:
        """Librdkafka settings."""
        return {"bootstrap.servers": self.broker.bootstrap_servers, "log_level": "0"}

    @property
    def left_by_a_killed_one(self) -> Path:
        """What a driver left that had no time to tidy up."""
        return self.settings.stack_dir / SCRATCH / "blockmgr-of-another"

    @property
    def driver(self) -> subprocess.Popen[bytes]:
        """The driver's process."""
        return self.processes[-1]

    def _start(self, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / f"process-{len(self.processes)}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
            )

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        return self.prometheus.firing()

    def value(self, expression: str) -> float | None:
        """Value of an expression now."""
        return self.prometheus.value(expression)

    def lines(self) -> list[dict[str, object]]:
        """The log that the driver prints, without what Spark says."""
        log = self.folder / f"process-{len(self.processes) - 1}.log"
        return [json.loads(line) for line in written(log) if line.startswith("{")]

    def end(self) -> None:
        """End everything."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.scraper.end()
        self.prometheus.end()
        self.broker.kill()


def written(file: Path) -> list[str]:
    """Lines of a file that somebody still writes; half a line is none yet."""
    return file.read_text().rpartition("\n")[0].splitlines()


MOST_SERIES = 2_000


def two_free_ports() -> int:
    """The first of two, one behind the other."""
    return next(port for port in iter(free_port, None) if ports.is_free(port + 1))


@pytest.fixture(scope="module")
def watched(promtool: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A driver that works, and a Prometheus that has seen it do so."""
    with receiving() as collector:
        one = Watched(tmp_path_factory.mktemp("watched"), collector)
        try:
            one.begin()
            eventually(lambda: one.value("sum(lakeshelf_query_up)") == len(JOBS), "all queries run")
            eventually(lambda: not one.firing(), "no alert fires any more")
            yield one
        finally:
            one.end()


@contextmanager
def sending(watched: Watched, topic: str) -> Iterator[None]:
    """Send records that are refused, more of them than are folded, for as long as the block takes."""
    enough = threading.Event()

    def send() -> None:
        producer = Producer(watched.client)
        while not enough.wait(0.1):
            for _ in range(100):
                producer.produce(topic, b"{}")
            producer.flush()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def test_lag_and_quarantine_are_noticed(watched: Watched) -> None:
    """Somebody sends what is refused, and faster than it is folded."""
    assert not watched.firing()
    with sending(watched, "wh_events"):
        eventually(lambda: "LagGrows" in watched.firing(), "LagGrows fires")
        eventually(lambda: "QuarantineRate" in watched.firing(), "QuarantineRate fires")
    eventually(lambda: "LagGrows" not in watched.firing(), "LagGrows is over")
    quarantined = "sum(lakeshelf_quarantined_total)"
    eventually(lambda: watched.value(quarantined), "what was refused is counted by its reason")


def test_where_its_batches_spend_their_time_is_told(watched: Watched) -> None:
    """The same numbers as the metrics, of the batches of these seconds."""
    lake = str(watched.settings.lake_root)
    command = [sys.executable, "-m", "lakeshelf.cli.main", "--lake", lake, "profile"]
    with sending(watched, "wh_events"):
        done = subprocess.run(
            [*command, "wh-aggregator", "--seconds", WATCHED_S, "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
    told = json.loads(done.stdout)
    steps = {line["name"]: line for line in told["spent"] if line["kind"] == "step"}
    assert steps.keys() >= set(BATCH_STEPS)
    assert told["batches"] > 0
    assert told["batch_seconds"] > 0
    assert all(abs(line["count"] - told["batches"]) <= 1 for line in steps.values())
    waits = {line["name"] for line in told["spent"] if line["kind"] == "wait"}
    assert waits == {"between", "commits", "broker", "turn"}


def test_kafka_and_spark_tell_their_own_metrics(watched: Watched) -> None:
    """What each does, under names that are the same after the next start, and not more than is looked at."""
    told = {
        "kafka_server_brokertopicmetrics_messagesin_total",
        "spark_livelistenerbus_numeventsposted",
    }
    for port, job in ((watched.jvms, "kafka"), (watched.jvms + 1, "spark")):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert any(line.startswith("jvm_memory_used_bytes") for line in lines)
        own = [line for line in lines if line.startswith(f"{job}_")]
        assert len(lines) < MOST_SERIES
        assert len(own) > 50
        assert not [line for line in own if "objectname" in line or "local-" in line]
    for name in told:
        eventually(lambda name=name: (watched.value(f"sum({name})") or 0) > 0, f"{name} grows")


def test_what_spark_has_on_disk_lies_in_a_folder_of_its_driver(watched: Watched) -> None:
    """Those who tidy the system's folder do not reach it, and what a kill left is gone."""
    folder = watched.settings.stack_dir / SCRATCH
    assert {place.name.partition("-")[0] for place in folder.iterdir()} >= {"blockmgr", "spark"}
    assert not watched.left_by_a_killed_one.exists()


def test_a_driver_that_stands_still_is_noticed(watched: Watched) -> None:
    """It is there and says nothing; when it goes on, so does everything."""
    watched.driver.send_signal(signal.SIGSTOP)
    eventually(lambda: "DriverSilent" in watched.firing(), "DriverSilent fires")
    watched.driver.send_signal(signal.SIGCONT)
    eventually(lambda: "DriverSilent" not in watched.firing(), "DriverSilent is over")


def test_a_query_that_does_not_run_is_noticed(watched: Watched) -> None:
    """Its topic is gone; the other query goes on."""
    assert "QueryDown" not in watched.firing()
    admin = AdminClient(watched.client)
    for done in admin.delete_topics(["foot_traffic"]).values():
        done.result(30)
    eventually(lambda: "QueryDown" in watched.firing(), "QueryDown fires")
    up = "sum(lakeshelf_query_up)"
    eventually(lambda: watched.value(up) == len(JOBS) - 1, "the driver tells that the other runs")


def test_every_line_about_a_batch_says_which_and_of_which_process(watched: Watched) -> None:
    """Whoever reads the log finds all of a batch, and what another start of the process said."""
    lines = watched.lines()
    (run_id,) = {line["run_id"] for line in lines}
    with urllib.request.urlopen(f"http://127.0.0.1:{watched.telemetry}/version") as answer:
        assert json.load(answer)["run_id"] == run_id
    of_batches = [line for line in lines if line["event"] in {"batch done", "committed"}]
    assert {line["event"] for line in of_batches} == {"batch done", "committed"}
    assert all(isinstance(line["batch_id"], int) and line["query"] for line in of_batches)


def test_what_queries_read_and_write_is_told_as_openlineage_has_it(watched: Watched) -> None:
    """Of one that went on and of one whose topic is gone."""
    events = [json.loads(line) for line in written(watched.folder / "lineage.jsonl")]
    kinds: dict[str, list[str]] = {job: [] for job in JOBS}
    for event in events:
        kinds[event["job"]["name"]].append(event["eventType"])
    assert kinds["wh-aggregator"][:2] == ["START", "RUNNING"]
    assert kinds["foot-traffic-raw-sink"][:2] == ["START", "FAIL"]
    last = [event for event in events if event["eventType"] == "RUNNING"][-1]
    (read,) = [one for one in last["inputs"] if one["name"] == "wh_events"]
    assert "0:" in read["facets"]["version"]["datasetVersion"]
    versions = {one["name"]: one["facets"].get("version") for one in last["outputs"]}
    assert versions[f"{watched.settings.lake}/raw/wh_events"] is None, "all records were refused"


def test_every_batch_is_traced_with_its_steps(watched: Watched) -> None:
    """Each step is below the batch that it is of."""
    eventually(lambda: spans(watched.collector.bodies), "traces come")
    sent = spans(watched.collector.bodies)
    batches = {span.span_id for span in sent if span.name == "batch"}
    steps = [span for span in sent if span.name != "batch"]
    assert {span.name for span in steps} >= set(BATCH_STEPS)
    assert sum(span.parent_span_id in batches for span in steps) >= len(steps) / 2


def test_the_alerts_are_those_of_the_product(watched: Watched) -> None:
    """Only how long they wait is different here."""
    text = (watched.folder / "rules.yml").read_text()
    names = re.findall(r"alert: (\w+)", text)
    assert names == re.findall(r"alert: (\w+)", (FOLDER / "rules.yml").read_text())
    assert "10m" not in text


def test_a_scrape_is_whole_or_there_is_none_whenever_it_comes(watched: Watched) -> None:
    """From before the driver starts until it is gone, through an alert, a stop and a lost topic."""
    watched.driver.terminate()
    watched.driver.wait()
    alone = watched.scraper.unanswered
    eventually(lambda: watched.scraper.unanswered > alone, "nobody answers any more")
    watched.scraper.end()
    assert watched.scraper.faults == []
    assert watched.scraper.seen >= {
        ("/metrics", 200),
        ("/health/ready", 200),
        ("/health/ready", 503),
    }

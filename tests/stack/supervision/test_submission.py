"""What spark-submit is told, for each kind of cluster."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.supervision.submission import Submission, parsed
from lakeshelf.stack.toolchain import jars
from lakeshelf.streams.run import session

YARN, KUBERNETES = "yarn", "k8s://https://cluster:6443"
OF_IMAGE = Path("/opt/lakeshelf")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [n for n in os.environ if n.startswith("LAKESHELF_")]:
        monkeypatch.delenv(name)
    return load_settings(lake_root=tmp_path / "lake", bootstrap_servers="kafka:9092")


def told(settings: Settings, **values: Any) -> dict[str, str]:
    return Submission(settings, **values).properties


@pytest.mark.parametrize("master", ["spark://host:7077", YARN, "local[2]"])
def test_a_driver_here_has_all_before_its_jvm_starts(settings: Settings, master: str) -> None:
    properties = told(settings, master=master)
    class_path = jars.spark_class_path(settings)
    assert properties["spark.driver.extraClassPath"] == class_path
    assert properties["spark.driver.memory"] == settings.driver_memory
    assert session.JAVA_OPTIONS in properties["spark.driver.extraJavaOptions"]
    assert properties["spark.pyspark.driver.python"] == sys.executable
    assert session.STREAMING.items() | session.DELTA.items() <= properties.items()
    on_a_cluster = master != "local[2]"
    assert ("spark.jars" in properties) == on_a_cluster
    assert ("spark.driver.host" in properties) != on_a_cluster
    assert not [name for name in properties if "LAKESHELF" in name]


@pytest.mark.parametrize(
    ("master", "image", "prefix"),
    [
        (YARN, None, "spark.yarn.appMasterEnv."),
        (KUBERNETES, "lakeshelf:1", "spark.kubernetes.driverEnv."),
    ],
)
def test_a_driver_inside_a_cluster_has_its_settings_as_variables(
    settings: Settings, master: str, image: str | None, prefix: str
) -> None:
    held = settings.model_copy(update={"table_committers": {"cleansed/wh_state": "spark"}})
    held.model_fields_set.update({"table_committers"})
    inside = Submission(held, master, mode="cluster", image=image, home=OF_IMAGE)
    variables = {
        name.removeprefix(prefix): value
        for name, value in inside.properties.items()
        if name.startswith(prefix)
    }
    assert variables == {
        "LAKESHELF_LAKE_ROOT": str(settings.lake_root),
        "LAKESHELF_BOOTSTRAP_SERVERS": "kafka:9092",
        "LAKESHELF_TABLE_COMMITTERS": '{"cleansed/wh_state": "spark"}',
        "LAKESHELF_HOME": "/opt/lakeshelf",
        "LAKESHELF_CACHE_DIR": "/opt/lakeshelf/.cache",
    }
    assert inside.properties.get("spark.kubernetes.container.image") == image
    assert "local:///opt/lakeshelf/infra/submitted.py" in inside.command("file")
    paths = inside.properties["spark.driver.extraClassPath"].split(":")
    assert all(path.startswith("/opt/lakeshelf/.cache/jars/") for path in paths)
    assert inside.properties["spark.jars"] == ",".join(f"local://{path}" for path in paths)


def test_the_printed_file_is_what_java_reads_and_begins_with_its_command(
    settings: Settings,
) -> None:
    more = {"spark.executor.defaultJavaOptions": "\\d\n=x"}
    submission = Submission(settings, YARN, ("wh-aggregator",), more=more)
    text = submission.text()
    assert "spark.executor.defaultJavaOptions=\\\\d\\n=x\n" in text
    command = shlex.split(text.splitlines()[1].removeprefix("# "))
    assert command[: len(submission.environment)] == [
        f"{name}={value}" for name, value in submission.environment.items()
    ]
    assert command[len(submission.environment) :] == submission.command("lakeshelf.properties")
    assert command[-7:] == [
        *("jobs", "run", "wh-aggregator"),
        *("--master", "submit", "--committer", "driver"),
    ]


@pytest.mark.parametrize(
    ("values", "changed", "problem"),
    [
        ({"master": "mesos://a"}, {}, "no cluster of Spark is named 'mesos://a'"),
        ({"master": "spark://a:1", "mode": "cluster"}, {}, "no driver in Python inside spark://a"),
        ({"master": KUBERNETES}, {}, "containers of k8s://https://cluster:6443 need an image"),
        ({"master": "local[2]", "image": "shop:1"}, {}, "--image shop:1 would not be used"),
        ({"master": YARN, "mode": "cluster"}, {"bootstrap_servers": None}, "embedded broker"),
        (
            {"master": YARN, "mode": "cluster"},
            {"kafka_username": "u", "kafka_password": "pass-word"},
            "LAKESHELF_KAFKA_PASSWORD_FILE",
        ),
    ],
)
def test_what_cannot_run_is_refused_in_a_line(
    settings: Settings, values: dict[str, Any], changed: dict[str, Any], problem: str
) -> None:
    known = {"lake_root": settings.lake_root, "bootstrap_servers": "kafka:9092", **changed}
    with pytest.raises(ConfigurationError, match=problem) as refused:
        Submission(load_settings(**known), **values)
    assert "\n" not in str(refused.value)
    assert "pass-word" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["spark.executor.memory", "executor.memory=1g", "=", "spark.a b=1"]
)
def test_what_is_no_property_of_spark_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no property of Spark"):
        parsed([text])
    assert parsed(["spark.executor.memory=a=b"]) == {"spark.executor.memory": "a=b"}
    annotation = "spark.kubernetes.driver.annotation.prometheus.io/scrape"
    assert parsed([f"{annotation}=true"]) == {annotation: "true"}

"""What spark-submit is told, for each kind of cluster."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.errors import ConfigurationError, ToolchainError
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.supervision import submission
from lakeshelf.stack.supervision.submission import SparkSubmission, parsed
from lakeshelf.stack.toolchain import jars
from lakeshelf.streams.run import session
from tests.conftest import Run

YARN, KUBERNETES = "yarn", "k8s://https://cluster:6443"
OF_IMAGE = Path("/opt/lakeshelf")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [n for n in os.environ if n.startswith("LAKESHELF_")]:
        monkeypatch.delenv(name)
    return load_settings(lake_root=tmp_path / "lake", bootstrap_servers="kafka:9092")


def told(settings: Settings, **values: Any) -> dict[str, str]:
    return SparkSubmission(settings, **values).properties


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
    inside = SparkSubmission(held, master, mode="cluster", image=image, home=OF_IMAGE)
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
    driver = SparkSubmission(settings, YARN, ("wh-aggregator",), more=more)
    text = driver.text()
    assert "spark.executor.defaultJavaOptions=\\\\d\\n=x\n" in text
    command = shlex.split(text.splitlines()[1].removeprefix("# "))
    assert command[: len(driver.environment)] == [
        f"{name}={value}" for name, value in driver.environment.items()
    ]
    assert command[len(driver.environment) :] == driver.command("lakeshelf.properties")
    assert command[-7:] == [
        *("jobs", "run", "wh-aggregator"),
        *("--master", "submit", "--committer", "driver"),
    ]


@pytest.mark.parametrize(
    ("values", "changed", "problem"),
    [
        ({"master": "mesos://a"}, {}, "no cluster of Spark is named 'mesos://a'"),
        ({"master": "yarn\n"}, {}, "no cluster of Spark is named 'yarn"),
        ({"master": "local[some]"}, {}, "no cluster of Spark is named"),
        ({"master": "spark://a"}, {}, "no cluster of Spark is named"),
        ({"master": "spark://a:1", "mode": "cluster"}, {}, "no driver in Python inside spark://a"),
        ({"master": KUBERNETES, "image": ""}, {}, "need an image"),
        ({"master": YARN, "home": OF_IMAGE}, {}, "--driver-home /opt/lakeshelf would not be used"),
        (
            {"master": YARN, "mode": "cluster", "home": Path("opt")},
            {},
            "--driver-home opt begins at no root",
        ),
        *(
            (
                {"master": YARN, "mode": "cluster", "home": Path(f"/opt/a{unfit}b")},
                {},
                "a cluster gets no jars from",
            )
            for unfit in ", :#%?\n"
        ),
        ({"master": YARN}, {"cache_dir": Path("/a,b")}, "a cluster gets no jars from '/a,b/jars'"),
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
        SparkSubmission(load_settings(**known), **values)
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


@pytest.mark.parametrize("master", ["spark://a:1,b:2", "spark://[::1]:7077", "local[*]", "local"])
def test_every_form_of_a_master_is_known(settings: Settings, master: str) -> None:
    assert SparkSubmission(settings, master).kind == master.partition(":")[0].partition("[")[0]


@pytest.mark.parametrize(
    ("committer", "late"), [("driver", False), ("spark", True), ("size", True)]
)
def test_code_is_compiled_late_where_spark_commits(
    settings: Settings, committer: str, late: bool
) -> None:
    settings = settings.model_copy(update={"committer": committer})
    properties = told(settings, master="spark://host:7077")
    assert (session.LATE_COMPILATION in properties["spark.driver.extraJavaOptions"]) == late
    assert session.LATE_COMPILATION in properties["spark.executor.extraJavaOptions"]


def test_a_driver_here_may_have_its_jars_in_a_folder_with_blanks(settings: Settings) -> None:
    held = settings.model_copy(update={"cache_dir": Path("/my jars")})
    assert SparkSubmission(held, YARN).kind == YARN


def test_what_somebody_adds_comes_behind_ours_and_an_empty_value_leaves_ours_out(
    settings: Settings,
) -> None:
    ours = told(settings, master=YARN)
    more = {"spark.jars": "/mine.jar", "spark.driver.extraJavaOptions": "-Da=b"}
    more |= {"spark.driver.memory": "9g", "spark.driver.extraClassPath": "/mine"}
    theirs = told(settings, master=YARN, more=more)
    assert theirs["spark.jars"] == f"{ours['spark.jars']},/mine.jar"
    options = "spark.driver.extraJavaOptions"
    assert theirs[options] == f"{ours[options]} -Da=b"
    assert theirs["spark.driver.extraClassPath"].endswith(":/mine")
    assert theirs["spark.driver.memory"] == "9g"
    assert told(settings, master=YARN, more={"spark.jars": ""})["spark.jars"] == ""
    assert told(settings, master="local[1]", more=more)["spark.jars"] == "/mine.jar"


@pytest.mark.parametrize("name", sorted(session.STREAMING | session.DELTA))
def test_what_the_promises_rest_on_cannot_be_changed(name: str) -> None:
    """The session has it all the same, so that the file would say what is not."""
    with pytest.raises(ConfigurationError, match="cannot be changed"):
        parsed([f"{name}=x"])


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("spark.master=yarn", "give --master yarn"),
        ("spark.submit.deployMode=cluster", "give --deploy-mode cluster"),
        ("spark.kubernetes.container.image=a:1", "give --image a:1"),
        ("spark.a=\udcff", "no UTF-8 text"),
    ],
)
def test_what_an_option_says_is_said_by_the_option(text: str, way: str) -> None:
    with pytest.raises(ConfigurationError, match=way):
        parsed([text])


def test_a_property_that_is_named_twice_is_refused_unless_it_is_the_same() -> None:
    assert parsed(["spark.a=1", "spark.a=1"]) == {"spark.a": "1"}
    with pytest.raises(ConfigurationError, match=r"--conf spark\.a is named twice"):
        parsed(["spark.a=1", "spark.a=2"])


def test_a_yarn_that_nothing_names_is_refused_before_anything_starts(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.setenv("YARN_CONF_DIR", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="export HADOOP_CONF_DIR") as refused:
        SparkSubmission(settings, YARN).run()
    assert f"YARN_CONF_DIR={tmp_path}/none" in str(refused.value)
    assert not settings.stack_dir.exists()


def test_a_spark_without_its_command_is_refused_in_a_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "pyspark_jars", lambda: tmp_path / "jars")
    with pytest.raises(
        ToolchainError, match=r"bin/spark-submit is not there.*pyspark=="
    ) as refused:
        SparkSubmission(settings, "local[1]").run()
    assert "\n" not in str(refused.value)


def test_a_password_of_the_mirror_goes_nowhere(
    lakeshelf: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESHELF_MAVEN_REPOSITORY", "https://ann:open-sesame@mirror/maven")
    monkeypatch.setenv("LAKESHELF_BOOTSTRAP_SERVERS", "kafka:9092")
    inside = ("--master", YARN, "--deploy-mode", "cluster", "--driver-home", OF_IMAGE)
    for command in (("config",), ("config", "--json"), ("jobs", "conf", *inside)):
        done = lakeshelf(*command)
        assert done.code == 0
        assert "open-sesame" not in done.out


@pytest.mark.parametrize("master", ["", "mesos://a", "spark://a", "local[some]"])
def test_a_master_that_spark_does_not_know_is_refused_before_a_driver_starts(
    lakeshelf: Run, master: str
) -> None:
    refused = lakeshelf("jobs", "run", "--master", master)
    assert refused.code == 2
    assert f"no cluster of Spark is named {master!r}" in refused.error


@pytest.mark.parametrize("master", ["submit", "local[2]", "spark://h:7077"])
def test_a_master_of_a_driver_that_was_submitted_or_that_spark_knows_is_none_to_refuse(
    lakeshelf: Run, master: str
) -> None:
    """What is refused then is the job."""
    refused = lakeshelf("jobs", "run", "no-such-job", "--master", master)
    assert refused.code == 2
    assert "'no-such-job'" in refused.error

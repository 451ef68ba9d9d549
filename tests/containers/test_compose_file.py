"""The Compose file by itself: conventions that every service keeps, and that no part of the product is forgotten."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from lakeshelf import modules
from lakeshelf.addresses import SECRET
from lakeshelf.cli.platform import parts as commands
from lakeshelf.components import registry
from lakeshelf.components.component import Follower
from lakeshelf.extras import EXTRAS
from lakeshelf.forecast.demand.engine import BOUNDS, MODULES
from lakeshelf.settings import Settings
from lakeshelf.stack.supervision import parts
from lakeshelf.streams.declare import plan
from lakeshelf.streams.declare import registry as job_registry
from lakeshelf.telemetry.serving import port_of
from tests.containers.engine import HOME

FILE = yaml.safe_load((HOME / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: one for name, one in SERVICES.items() if "LAKESHELF_IMAGE" in one["image"]}
DEFAULT = {name for name, one in OURS.items() if "profiles" not in one}
"""Services of ours that are up without being asked for."""
ONCE = {name for name, one in OURS.items() if one["restart"] == "no"}
OTHERS = {
    "postgres": "999:999",
    "prometheus": "65534:65534",
    "grafana": "472:0",
    "s3": "10001:10001",
}
"""Users of the images of others."""
PREFIX = "LAKESHELF_"
OF_OTHERS = {
    "AWS_ALLOW_HTTP",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
    "SPARK_EXECUTOR_MEMORY",
    "SPARK_MASTER_OPTS",
}
"""Variables that are no settings of ours."""
PROGRAMS = {
    "streams": ["lakeshelf", "jobs", "run"],
    "components": ["lakeshelf", "components", "run"],
} | {name: ["lakeshelf", "run", name] for name in get_args(commands.Part)}
"""Part of the stack → how a container starts it."""

each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    """It is nobody special, changes nothing of its image and gets no further rights."""
    service = SERVICES[name]
    assert service["user"] == ("10001:10001" if name in OURS else OTHERS[name])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@each_service
def test_a_service_is_bounded(name: str) -> None:
    """Memory and logs have an end."""
    service = SERVICES[name]
    assert service["mem_limit"]
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()


@each_service
def test_a_service_says_whether_it_is_well(name: str) -> None:
    """What stays has a check with time to start, and comes back; what ends does not start again."""
    service = SERVICES[name]
    if name in ONCE:
        assert "healthcheck" not in service
    else:
        assert service["restart"] == "unless-stopped"
        assert {"test", "start_period", "interval", "timeout"} <= service["healthcheck"].keys()


@each_service
def test_a_service_waits_for_what_it_needs_to_be_well(name: str) -> None:
    """A condition that can never hold would keep it from starting."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert how["condition"] == expected, other


@each_service
def test_a_service_keeps_its_data(name: str) -> None:
    """What is written outlives the container: it goes to a volume with a name; files of ours are only read."""
    for volume in SERVICES[name].get("volumes", []):
        place, _, mounted = volume.partition(":")
        own = place.startswith("./") and mounted.endswith(":ro") and (HOME / place).exists()
        assert own or place in FILE["volumes"]


@each_service
def test_a_service_is_reached_from_this_machine_alone(name: str) -> None:
    """Whoever wants more says so in a file of their own."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_prometheus_looks_for_every_service_that_tells_metrics() -> None:
    """Of each profile, at the port that its own check asks; Kafka's and Spark's own at those of their agents."""
    checks = {name: str(one.get("healthcheck", {}).get("test")) for name, one in OURS.items()}
    telling = {
        (name, int(port))
        for name, check in checks.items()
        for port in re.findall(r"127\.0\.0\.1:(94\d\d)/health", check)
    }
    settings = Settings(telemetry_port=9400)
    telling |= {(part, port_of(settings, part)) for part in ("api", "worker")}
    drivers = {name for name, port in telling if port == port_of(settings, "streams")}
    assert targets("lakeshelf") == telling
    assert targets("jvm") == {("kafka", 9410)} | {(name, 9411) for name in drivers}


def targets(job: str) -> set[tuple[str, int]]:
    """Service and port of what Prometheus scrapes."""
    config = yaml.safe_load((HOME / "infra/prometheus/prometheus.yml").read_text())
    (found,) = [one for one in config["scrape_configs"] if one["job_name"] == job]
    return {(name, one["port"]) for one in found["dns_sd_configs"] for name in one["names"]}


@each_service
def test_no_secret_stands_in_the_environment(name: str) -> None:
    """Variables go to children and logs; secrets are files."""
    for variable in SERVICES[name].get("environment", {}):
        assert not SECRET.search(variable) or variable.endswith("_FILE")


@pytest.mark.parametrize("name", OURS)
def test_each_variable_is_a_setting(name: str) -> None:
    """A misspelt one would be passed over in silence."""
    for variable in OURS[name].get("environment", {}):
        setting = variable.removeprefix(PREFIX).lower()
        known = {f"{PREFIX}LAKE_ROOT", *OF_OTHERS}
        assert setting in Settings.model_fields or variable in known


def test_images_of_others_have_a_version() -> None:
    """What is up tomorrow is what is up today."""
    for name in SERVICES.keys() - OURS.keys():
        assert re.search(r":v?\d+\.\d+", SERVICES[name]["image"]), name


def test_no_part_of_the_product_is_forgotten() -> None:
    """Whatever the supervisor starts, a service starts; whoever follows datasets has a service of its own."""
    started = [one["command"] for one in OURS.values()]
    for part in (*parts.ProcessPart.__subclasses__(), parts.BrokerPart):
        assert any(command[:3] == PROGRAMS[part.name] for command in started), part.name
    followers = [n for n, app in registry.discover(HOME).items() if issubclass(app, Follower)]
    beside = ["--without", *followers]
    assert SERVICES["components"]["command"] == [*PROGRAMS["components"], *beside]
    for follower in followers:
        assert SERVICES[follower]["command"] == [*PROGRAMS["components"], follower]
    for app in (HOME / "kafka-components" / "kafka-init", HOME / "spark-apps" / "deltalake"):
        assert app.is_dir()
    assert {"kafka-init", "spark-init-delta", "s3-init", "console"} == ONCE


def test_drivers_of_a_cluster_divide_whole_queries() -> None:
    """A driver with some jobs of a query would be refused, and all jobs have a driver."""
    jobs = job_registry.discover(HOME)
    drivers = {n: one["command"] for n, one in OURS.items() if "--master" in one["command"]}
    assert drivers.keys() == {"driver-stock", "driver"}
    for command in drivers.values():
        names = command[command.index("--master") + 2 :]
        chosen = plan.plan(job_registry.select(jobs, names))
        plan.require_whole(chosen, plan.plan(jobs.values()))
    assert drivers["driver"][-1].startswith("spark://")


def test_the_image_has_a_lock_of_its_own_within_that_of_the_checkout() -> None:
    """What was tested is what is in the image: the same versions, and nothing that only tests need."""
    everything = _pinned(HOME / "requirements.lock")
    image = _pinned(HOME / "infra" / "image.lock")
    assert image <= everything
    assert not {name for name, _ in image} & {"pytest", "ruff", "mypy", "hypothesis"}


def test_the_image_can_train_models() -> None:
    """It has the extra `ml`, and of `query` what forecasts use."""
    names = {name for name, _ in _pinned(HOME / "infra" / "image.lock")}
    assert names >= {*EXTRAS["ml"], *MODULES}


@pytest.mark.parametrize("name", ["components", "console"])
def test_forecasts_have_the_memory_that_they_may_take(name: str) -> None:
    """DuckDB takes what its bound says before it writes to disk; a container with less would be killed first."""
    assert int(SERVICES[name]["mem_limit"].removesuffix("g")) * 2**30 > in_bytes(BOUNDS.memory)


def in_bytes(memory: str) -> int:
    """Bytes of a bound of DuckDB."""
    return int(memory.removesuffix("MB")) * 10**6


def test_nothing_that_the_image_runs_is_left_out_of_it() -> None:
    """Each pattern is of something that is there, and none takes what others are linked with."""
    packages = Path(sysconfig.get_path("purelib"))
    left_out = {
        str(path.relative_to(packages))
        for path in modules.load(HOME / "infra" / "slim.py").unneeded(packages)
    }
    assert any("rocksdbjni" in name for name in left_out)
    assert not [name for name in left_out if re.search(r"hive-storage-api|arrow_substrait", name)]
    reached = (
        r"pyarrow[. ]+(import +)?flight|pyspark\.ml|SparkSession\.builder\.remote|enableHiveSupport"
    )
    for folder in ("src", "spark-apps", "kafka-components", "ml-model", "infra"):
        for file in (HOME / folder).rglob("*.py"):
            assert not re.search(reached, file.read_text(encoding="utf-8")), file


def test_what_an_image_leaves_out_names_files_that_are_there(tmp_path: Path) -> None:
    """A pattern that outlived its file ends the build, before anything is removed."""
    (tmp_path / "pyspark" / "python").mkdir(parents=True)
    command = [sys.executable, HOME / "infra" / "slim.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"error: \S+ has no \S+; take it out of \S+\n", done.stderr)
    assert (tmp_path / "pyspark" / "python").is_dir()


def _pinned(lock: Path) -> set[tuple[str, str]]:
    return set(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE))


def test_the_file_of_the_image_is_as_it_should_be() -> None:
    """The linter of image files finds nothing."""
    linter = Path(sys.executable).with_name("hadolint")
    ignored = (
        "DL3008",
        "DL3042",
    )  # Debian keeps no old versions; the folder of a build stage goes with it
    command = [linter, *(f"--ignore={rule}" for rule in ignored), HOME / "infra" / "Dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

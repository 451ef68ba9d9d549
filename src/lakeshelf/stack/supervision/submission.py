"""What `spark-submit` has to be told so that the driver runs where a cluster wants it.

A JVM that runs already takes neither class path nor heap, so everything that Spark is told stands in one file of
properties. In client mode the driver runs here, with the settings of this shell. In cluster mode it runs in a
container: the software stands below one folder there, and settings reach it as variables, secrets never.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import SecretStr

from lakeshelf.errors import ConfigurationError, ToolchainError
from lakeshelf.files import write_atomically
from lakeshelf.settings import Settings
from lakeshelf.stack.toolchain import jars, java, java_properties, jvm_metrics
from lakeshelf.stack.toolchain.ivy import pyspark_jars
from lakeshelf.streams.run import session

DeployMode = Literal["client", "cluster"]
_HOST = r"(\[[0-9a-fA-F:.]+\]|[^\s/:,@\[\]]+):\d{1,5}"
MASTERS = {
    "yarn": r"yarn",
    "k8s": r"k8s://\S+",
    "spark": rf"spark://{_HOST}(,{_HOST})*",
    "local": r"local(\[(\d+|\*)(,\d+)?\])?",
}
"""Kind of cluster → how Spark has it named."""
PROPERTY = re.compile(r"spark(\.[A-Za-z0-9_/-]+)+")
SCRIPT = Path("infra", "submitted.py")
CACHE = ".cache"
FILE_NAME = "lakeshelf.properties"
VARIABLES = {"yarn": "spark.yarn.appMasterEnv.", "k8s": "spark.kubernetes.driverEnv."}
"""Kind of cluster → how a variable of the driver's container is named."""
OF_THIS_MACHINE = {"home", "project", "cache_dir", "java_home", "state_dir", "maven_repository"}
"""Settings that a driver elsewhere has no use for: folders, and where jars were fetched from."""
JOINED = {
    "spark.driver.extraClassPath": os.pathsep,
    "spark.driver.extraJavaOptions": " ",
    "spark.executor.extraJavaOptions": " ",
    "spark.jars": ",",
}
"""Properties to which somebody may add → what stands between; an empty one leaves ours out."""
OPTIONS = {
    "spark.master": "--master",
    "spark.submit.deployMode": "--deploy-mode",
    "spark.kubernetes.container.image": "--image",
}
"""Properties that follow from options of the command."""
YARN_FOLDERS = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")
_UNFIT = {"client": re.compile(r"[,:#\x00-\x1f]"), "cluster": re.compile(r"[,:#%?\s\x00-\x1f]")}
"""What the path of a jar may not hold: lists of jars and of addresses would end there."""


RESTING = session.STREAMING | session.DELTA
"""Properties that the session has whatever a file says."""


@dataclass(frozen=True)
class SparkSubmission:
    """A driver that somebody submits.

    Attributes:
        settings: Lake, Kafka, memory.
        master: `spark://HOST:PORT`, `yarn`, `k8s://https://HOST:PORT`, `local[N]`.
        names: Jobs; none: all.
        mode: Where the driver runs.
        image: Image of containers, for Kubernetes.
        home: Checkout where the driver runs; None: this one.
        more: Properties of Spark, which beat ours or are added to them.
    """

    settings: Settings
    master: str
    names: tuple[str, ...] = ()
    mode: DeployMode = "client"
    image: str | None = None
    home: Path | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for contradicts, problem, hint in self._contradictions():
            if contradicts:
                raise ConfigurationError(problem, hint=hint)

    @property
    def kind(self) -> str:
        """Kind of cluster: `spark`, `yarn`, `k8s` or `local`; empty for none that Spark knows."""
        return kind_of(self.master)

    @cached_property
    def properties(self) -> dict[str, str]:
        """Everything that Spark is told.

        Raises:
            ToolchainError: A jar is missing or damaged.
        """
        class_path = self._class_path()
        agent = "" if self.mode == "cluster" else jvm_metrics.option(self.settings, "spark")
        named = session.properties(
            self.settings, class_path, master=self.master, java_options=agent
        )
        if self.mode == "cluster":
            named["spark.jars"] = ",".join(f"local://{jar}" for jar in class_path.split(os.pathsep))
        else:
            named["spark.pyspark.driver.python"] = sys.executable
        ours = {
            "spark.app.name": "lakeshelf",
            "spark.submit.deployMode": self.mode,
            "spark.log.level": "ERROR",
            **named,
            **({"spark.kubernetes.container.image": self.image} if self.image else {}),
            **(self._variables() if self.mode == "cluster" else {}),
        }
        return ours | {name: _added(ours, name, value) for name, value in self.more.items()}

    def text(self) -> str:
        """The properties as a file, with the command that uses it."""
        command = " ".join(map(shlex.quote, self.command(FILE_NAME)))
        named = " ".join(f"{n}={shlex.quote(value)}" for n, value in self.environment.items())
        lines = [
            f"# For {FILE_NAME}, which this command uses:",
            f"# {named} {command}",
        ]
        return "\n".join(lines) + "\n" + java_properties.text(self.properties)

    def command(self, file: str) -> list[str]:
        """The command that submits the driver.

        Args:
            file: Where the properties are.
        """
        script = self._home / SCRIPT
        lake = () if self.mode == "cluster" else ("--lake", self.settings.lake)
        return [
            str(pyspark_jars().parent / "bin" / "spark-submit"),
            "--properties-file",
            file,
            f"local://{script}" if self.mode == "cluster" else str(script),
            *lake,
            *("jobs", "run", *self.names),
            *("--master", "submit", "--committer", self.settings.committer),
        ]

    def run(self) -> NoReturn:
        """Become the command: this process ends.

        Raises:
            ConfigurationError: YARN is not named.
            ToolchainError: There is no `spark-submit`.
        """
        self._require_what_runs_it()
        file = self.settings.stack_dir / FILE_NAME
        write_atomically(file, self.text().encode(), mode=0o600)
        command = self.command(str(file))
        os.execve(command[0], command, os.environ | self.environment)  # noqa: S606 - no shell

    @property
    def environment(self) -> dict[str, str]:
        """Variables of that command: the Spark and the Java that are meant."""
        return {
            **java.UTF_8,
            "SPARK_HOME": str(pyspark_jars().parent),
            "JAVA_HOME": str(java.java_home(self.settings)),
        }

    def _require_what_runs_it(self) -> None:
        named = {name: os.environ.get(name, "") for name in YARN_FOLDERS}
        if self.kind == "yarn" and not any(map(os.path.isdir, named.values())):
            shown = " and ".join(f"{name}={value}" for name, value in named.items())
            raise ConfigurationError(
                f"nothing says where YARN is: {shown}",
                hint="export HADOOP_CONF_DIR=FOLDER, that with the yarn-site.xml of the cluster",
            )
        if not os.access(program := self.command(FILE_NAME)[0], os.X_OK):
            raise ToolchainError(
                f"{program} is not there, or cannot be run",
                hint=f"install it anew: `{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps "
                f"pyspark=={version('pyspark')}`",
            )

    @property
    def _home(self) -> Path:
        return (self.home or self.settings.home).absolute()

    @property
    def _jars_folder(self) -> Path:
        cache = self.settings.cache_dir if self.home is None else self.home / CACHE
        return cache.absolute() / "jars"

    def _class_path(self) -> str:
        class_path = jars.spark_class_path(self.settings)
        if self.home is None:
            return class_path
        folder = self._jars_folder
        return os.pathsep.join(str(folder / Path(jar).name) for jar in class_path.split(os.pathsep))

    def _variables(self) -> dict[str, str]:
        """Settings that were set, as variables of the driver's container."""
        named = dict(self._set())
        named |= {"HOME": str(self._home), "CACHE_DIR": str(self._home / CACHE)}
        return {f"{VARIABLES[self.kind]}LAKESHELF_{n}": value for n, value in named.items()}

    def _set(self) -> Iterator[tuple[str, str]]:
        values = self.settings.model_dump(mode="json", include=self.settings.model_fields_set)
        for name, value in sorted(values.items()):
            is_secret = isinstance(getattr(self.settings, name), SecretStr)
            if value is not None and not is_secret and name not in OF_THIS_MACHINE:
                text = value if isinstance(value, str) else json.dumps(value)
                yield name.upper(), text

    def _contradictions(self) -> Iterator[tuple[bool, str, str]]:
        """What keeps the driver from running: whether it holds, what it is, what to do."""
        yield from self._of_the_cluster()
        yield from self._of_places()
        cluster = self.mode == "cluster"
        yield (
            cluster and self.settings.bootstrap_servers is None,
            "a driver inside a cluster does not reach the embedded broker",
            "set LAKESHELF_BOOTSTRAP_SERVERS",
        )
        yield (
            cluster and self.settings.kafka_password is not None,
            "kafka_password would be read by whoever sees the driver's settings",
            "set LAKESHELF_KAFKA_PASSWORD_FILE to a file that the driver's container has",
        )

    def _of_places(self) -> Iterator[tuple[bool, str, str]]:
        home = self.home
        yield (
            home is not None and self.mode != "cluster",
            f"the driver runs here, so that --driver-home {home} would not be used",
            "leave it out, or add --deploy-mode cluster",
        )
        yield (
            home is not None and not home.is_absolute(),
            f"--driver-home {home} begins at no root",
            "name the folder as the driver's container has it, such as /opt/lakeshelf",
        )
        for folder in (self._home, self._jars_folder) if self.kind != "local" else ():
            unfit = _UNFIT[self.mode].search(str(folder))
            yield (
                unfit is not None,
                f"a cluster gets no jars from {str(folder)!r}, which holds {unfit and unfit[0]!r}",
                "name another folder with --driver-home, or here with LAKESHELF_HOME and LAKESHELF_CACHE_DIR",
            )

    def _of_the_cluster(self) -> Iterator[tuple[bool, str, str]]:
        cluster, kind = self.mode == "cluster", self.kind
        yield (not kind, *_no_cluster(self.master))
        yield (
            cluster and kind not in VARIABLES,
            f"Spark runs no driver in Python inside {self.master}",
            "leave out --deploy-mode, or submit to yarn or k8s://…",
        )
        yield (
            kind == "k8s" and not self.image,
            f"containers of {self.master} need an image",
            "name it with --image; executors need Spark and Java alone",
        )
        yield (
            kind != "k8s" and self.image is not None,
            f"{self.master or 'this master'} runs no containers, so that --image {self.image} would not be used",
            "leave it out, or name a master k8s://https://HOST:6443",
        )


def kind_of(master: str) -> str:
    """Kind of cluster that a master is of; empty for none that Spark knows."""
    return next((kind for kind, form in MASTERS.items() if re.fullmatch(form, master)), "")


def require_known(master: str) -> None:
    """Refuse a master before a JVM starts for it.

    Raises:
        ConfigurationError: Spark knows none of that name.
    """
    if not kind_of(master):
        problem, hint = _no_cluster(master)
        raise ConfigurationError(problem, hint=hint)


def _no_cluster(master: str) -> tuple[str, str]:
    return (
        f"no cluster of Spark is named {master!r}",
        "give --master spark://HOST:7077, yarn, k8s://https://HOST:6443 or local[4]",
    )


def parsed(properties: Iterable[str]) -> dict[str, str]:
    """Properties that somebody named, NAME=VALUE each.

    Raises:
        ConfigurationError: One that is none of Spark, that is said elsewhere, or that is named twice.
    """
    named: dict[str, str] = {}
    for text in properties:
        name, sign, value = text.partition("=")
        if not sign or not PROPERTY.fullmatch(name):
            raise ConfigurationError(
                f"--conf {name!r} is no property of Spark",
                hint="name one such as --conf spark.executor.memory=4g",
            )
        _require_free(name, value)
        if named.setdefault(name, value) != value:
            raise ConfigurationError(f"--conf {name} is named twice", hint="name it once")
    return named


def _require_free(name: str, value: str) -> None:
    if name in OPTIONS:
        raise ConfigurationError(
            f"--conf {name} follows from {OPTIONS[name]}", hint=f"give {OPTIONS[name]} {value}"
        )
    if name in RESTING:
        raise ConfigurationError(
            f"--conf {name} cannot be changed: what is promised rests on {RESTING[name]!r}",
            hint="leave it out",
        )
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ConfigurationError(f"--conf {name} is no UTF-8 text", hint="write it anew")


def _added(ours: Mapping[str, str], name: str, value: str) -> str:
    """What Spark is told where somebody named a property."""
    between = JOINED.get(name) if value else None
    return value if between is None else between.join(filter(None, (ours.get(name), value)))

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
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import SecretStr

from lakeshelf.errors import ConfigurationError
from lakeshelf.files import write_atomically
from lakeshelf.settings import Settings
from lakeshelf.stack.toolchain import jars, java, java_properties, jvm_metrics
from lakeshelf.stack.toolchain.ivy import pyspark_jars
from lakeshelf.streams.run import session

DeployMode = Literal["client", "cluster"]
MASTERS = re.compile(r"(?P<kind>yarn|k8s|spark|local)(?:$|://\S+$|\[[^\]]+\]$)")
PROPERTY = re.compile(r"spark(\.[A-Za-z0-9_/-]+)+")
SCRIPT = Path("infra", "submitted.py")
CACHE = ".cache"
FILE_NAME = "lakeshelf.properties"
VARIABLES = {"yarn": "spark.yarn.appMasterEnv.", "k8s": "spark.kubernetes.driverEnv."}
"""Kind of cluster → how a variable of the driver's container is named."""
PLACES = {"home", "project", "cache_dir", "java_home", "state_dir"}
"""Settings that are folders of this machine."""


@dataclass(frozen=True)
class Submission:
    """A driver that somebody submits.

    Attributes:
        settings: Lake, Kafka, memory.
        master: `spark://HOST:PORT`, `yarn`, `k8s://https://HOST:PORT`, `local[N]`.
        names: Jobs; none: all.
        mode: Where the driver runs.
        image: Image of containers, for Kubernetes.
        home: Checkout where the driver runs; None: this one.
        more: Properties of Spark that come last.
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
        match = MASTERS.match(self.master)
        return match["kind"] if match else ""

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
        return {
            "spark.app.name": "lakeshelf",
            "spark.submit.deployMode": self.mode,
            "spark.log.level": "ERROR",
            **named,
            **({"spark.kubernetes.container.image": self.image} if self.image else {}),
            **(self._variables() if self.mode == "cluster" else {}),
            **self.more,
        }

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
        """Become the command: this process ends."""
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

    @property
    def _home(self) -> Path:
        return (self.home or self.settings.home).absolute()

    def _class_path(self) -> str:
        class_path = jars.spark_class_path(self.settings)
        if self.home is None:
            return class_path
        folder = self.home / CACHE / "jars"
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
            if value is not None and not is_secret and name not in PLACES:
                text = value if isinstance(value, str) else json.dumps(value)
                yield name.upper(), text

    def _contradictions(self) -> Iterator[tuple[bool, str, str]]:
        """What keeps the driver from running: whether it holds, what it is, what to do."""
        cluster, kind = self.mode == "cluster", self.kind
        yield (
            not kind,
            f"no cluster of Spark is named {self.master!r}",
            "give --master spark://HOST:7077, yarn, k8s://https://HOST:6443 or local[4]",
        )
        yield (
            cluster and kind not in VARIABLES,
            f"Spark runs no driver in Python inside {self.master}",
            "leave out --deploy-mode, or submit to yarn or k8s://…",
        )
        yield (
            kind == "k8s" and self.image is None,
            f"containers of {self.master} need an image",
            "name it with --image; executors need Spark and Java alone",
        )
        yield (
            kind != "k8s" and self.image is not None,
            f"{self.master or 'this master'} runs no containers, so that --image {self.image} would not be used",
            "leave it out, or name a master k8s://https://HOST:6443",
        )
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


def parsed(properties: Iterable[str]) -> dict[str, str]:
    """Properties that somebody named, NAME=VALUE each.

    Raises:
        ConfigurationError: One that is none of Spark.
    """
    pairs = [text.partition("=") for text in properties]
    for name, sign, _ in pairs:
        if not sign or not PROPERTY.fullmatch(name):
            raise ConfigurationError(
                f"--conf {name!r} is no property of Spark",
                hint="name one such as --conf spark.executor.memory=4g",
            )
    return {name: value for name, _, value in pairs}

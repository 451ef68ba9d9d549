"""The embedded broker: real Apache Kafka (KRaft), one node on the loopback interface.

Life of a broker:

1. Ports are chosen at the first start and remembered.
2. Storage is formatted once, in a folder of its own that is then renamed: half a format is none.
3. Kafka runs as a child with a session of its own; number and start time go to a file, so that
   another command finds it, and a killed one is not taken for alive.
4. It is healthy when it answers a metadata request under the lake's cluster id.
5. It ends on SIGTERM; data stay. After SIGKILL the next start recovers the logs by itself.

It runs in its own folder and knows it by relative names alone: Kafka would read a comma in a path as two
folders, and properties have an encoding of their own.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from lakeshelf.errors import NO_ROOM, BrokerError, refused
from lakeshelf.files import write_atomically
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded import broker_config, broker_data, users
from lakeshelf.stack.embedded.broker_config import Listening
from lakeshelf.stack.embedded.secured import PORTS, Secured, argument_file
from lakeshelf.stack.machine import ports
from lakeshelf.stack.machine.processes import ProcessId, identify, read_pid_file, write_pid_file
from lakeshelf.stack.toolchain import class_data, java, java_properties, jvm_metrics
from lakeshelf.stack.toolchain.jars import jar_paths

SERVER_PROPERTIES, LOG4J_PROPERTIES = "server.properties", "log4j2.properties"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.05
_REQUEST_TIMEOUT_S = 2.0
# Asks Linux to end this process with its parent, then becomes the command. A separate program and
# not `preexec_fn`, which may deadlock in a parent with threads.
_TETHER = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 15)\n"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
# Brokers that this process started, by folder. They may outlive the objects that mean them, and are
# reaped here when they end.
_CHILDREN: dict[Path, subprocess.Popen[bytes]] = {}


class Broker:
    """The broker of one lake; every object of the same lake means the same broker.

    Args:
        settings: Lake, cache and heap.
        secured: Passwords, certificates and access control; None: those that the settings name, or plain text for
            everybody on this machine.
    """

    def __init__(self, settings: Settings, secured: Secured | None = None) -> None:
        self._settings = settings
        self._secured = secured or _named(settings)
        self._folder = settings.stack_dir.absolute() / "broker"
        self._logs = settings.stack_dir.absolute() / "logs"
        self._log_start = 0

    @property
    def log_file(self) -> Path:
        """Kafka's log."""
        return self._logs / "broker.log"

    @property
    def ports_file(self) -> Path:
        """Where the ports are remembered."""
        return self._folder / "ports.json"

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients; chosen now if the broker never ran."""
        return self._listening().advertised

    @property
    def own_client(self) -> dict[str, str]:
        """Librdkafka settings of one who may do everything."""
        if self._secured:
            return self._secured.client(self._ports())
        return {"bootstrap.servers": self.bootstrap_servers}

    @property
    def process(self) -> ProcessId | None:
        """The running broker, whoever started it."""
        if child := _CHILDREN.get(self._folder):
            child.poll()
        return read_pid_file(self._pid_file)

    def is_running(self) -> bool:
        """Whether the broker's process runs; it need not be healthy yet."""
        return self.process is not None

    def start(self, *, die_with_parent: bool = False) -> None:
        """Start the broker unless it runs; returns before it is healthy.

        Args:
            die_with_parent: End it when the thread that calls this ends, however that happens
                (Linux only; elsewhere it stays until `stop`).

        Raises:
            BrokerError: A port is taken, or storage cannot be formatted.
            ToolchainError: Java or jars are missing.
        """
        if self.is_running():
            return
        self._end_child()  # it may have ended since it was looked at, and hold its port for a moment
        try:
            self._prepare()
            self._launch(die_with_parent=die_with_parent)
        except OSError as error:
            self._end_child()
            error.filename = error.filename or str(self._folder)
            said, hint = refused(error)
            raise BrokerError(f"the broker cannot start: {said}", hint=hint) from error

    def wait_healthy(self, timeout: float = START_TIMEOUT_S) -> None:
        """Wait until the broker answers clients, and knows the users of the settings by their passwords of now.

        Args:
            timeout: Longest wait, seconds.

        Raises:
            BrokerError: It ended, does not answer in time, or another broker answers.
        """
        deadline = time.monotonic() + timeout
        client = _admin_client(self.own_client)
        port = self._listening().port
        while time.monotonic() < deadline:
            if not self.is_running():
                raise BrokerError(f"the broker ended: {self.last_words()}", hint=self._see_log)
            if ports.answers(port) and (cluster_id := _cluster_id(client)):
                self._check_cluster(cluster_id)
                return self._renew_users(client)
            time.sleep(_POLL_S)
        raise BrokerError(
            f"the broker at {self.bootstrap_servers} gave no answer in {timeout:.0f} s",
            hint=self._see_log,
        )

    def stop(self, timeout: float = STOP_TIMEOUT_S) -> None:
        """Stop the broker and wait for its end; data stay. Killed when it takes longer."""
        if (process := self.process) is None:
            return
        process.send(signal.SIGTERM)
        if not self._wait_gone(process, timeout):
            process.send(signal.SIGKILL)
            self._wait_gone(process, timeout)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the broker at once, as a crash would (SIGKILL)."""
        if process := self.process:
            process.send(signal.SIGKILL)
            self._wait_gone(process, STOP_TIMEOUT_S)

    @property
    def data(self) -> Path:
        """Where its records lie."""
        return self._folder / "data"

    @property
    def _pid_file(self) -> Path:
        return self._folder / "broker.pid"

    @property
    def _see_log(self) -> str:
        return f"see {self.log_file}"

    def _prepare(self) -> None:
        """Everything that the broker needs on disk."""
        listening = self._listening()
        self._refuse_taken(listening)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._write_config(listening)
        self._format(listening)
        broker_data.let_recover(self.data)

    def _launch(self, *, die_with_parent: bool) -> None:
        kept = class_data.used_or_made(self._settings, self._class_path())
        agent = jvm_metrics.option(self._settings, "kafka")
        command = [*self._java(kept, agent), "kafka.Kafka", SERVER_PROPERTIES]
        if die_with_parent and sys.platform == "linux":
            command = [sys.executable, "-ISc", _TETHER, str(os.getpid()), *command]
        self._log_start = self.log_file.stat().st_size if self.log_file.is_file() else 0
        with (self._logs / "broker.out").open("wb") as output:
            child = _CHILDREN[self._folder] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._folder,
                env=os.environ | java.UTF_8,
            )
        write_pid_file(self._pid_file, identify(child.pid))

    def _end_child(self) -> None:
        if child := _CHILDREN.pop(self._folder, None):
            child.kill()
            child.wait()

    def _wait_gone(self, process: ProcessId, timeout: float) -> bool:
        gone = process.wait_gone(timeout)
        if gone and (child := _CHILDREN.pop(self._folder, None)):
            child.wait()
        return gone

    def _ports(self) -> dict[str, int]:
        return ports.remembered(self.ports_file, PORTS if self._secured else PORTS[:2])

    def _listening(self) -> Listening:
        own = self._ports()
        client = self._settings.broker_listen or f"{ports.LOOPBACK}:{own['broker']}"
        return Listening(client, self._settings.broker_advertised or client, own["controller"])

    def _refuse_taken(self, listening: Listening) -> None:
        for name, port in (("broker", listening.port), ("controller", listening.controller)):
            if not ports.is_free(port):
                way = f"remove {self.ports_file} to choose other ports"
                if name == "broker" and self._settings.broker_listen:
                    way = "set LAKESHELF_BROKER_LISTEN to another"
                raise BrokerError(
                    f"port {port} of the embedded {name} is taken by another process",
                    hint=f"stop that process, or {way}",
                )

    def _write_config(self, listening: Listening) -> None:
        self._write_properties(self._folder / SERVER_PROPERTIES, self.data.name, listening)
        log4j = broker_config.log4j_properties(os.path.relpath(self.log_file, self._folder))
        write_atomically(self._folder / LOG4J_PROPERTIES, log4j.encode())

    def _write_properties(self, file: Path, data: str, listening: Listening) -> None:
        client, advertised = listening.client, listening.advertised
        secured = (
            self._secured.properties(self._ports(), client, advertised) if self._secured else {}
        )
        properties = broker_config.server_properties(data, listening, secured)
        write_atomically(file, java_properties.text(properties).encode(), mode=0o600)

    def _class_path(self) -> str:
        return os.pathsep.join(str(j.absolute()) for j in jar_paths(self._settings, "broker"))

    def _java(self, kept: str, agent: str = "") -> list[str]:
        return [
            str(java.java_home(self._settings).absolute() / "bin" / "java"),
            f"-Xmx{self._settings.broker_memory}",
            "-Xms64m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            "-Djava.awt.headless=true",
            *kept.split(),
            *([agent] if agent else []),
            *(self._secured.java_options if self._secured else ()),
            f"-Dlog4j2.configurationFile={LOG4J_PROPERTIES}",
            "-cp",
            self._class_path(),
        ]

    def _format(self, listening: Listening) -> None:
        """Give the data folder a cluster id, once in the life of a lake."""
        if (self.data / "meta.properties").is_file():
            return
        part, config = self._folder / "data.part", self._folder / "format.properties"
        shutil.rmtree(part, ignore_errors=True)
        self._write_properties(config, part.name, listening)
        tool = ["kafka.tools.StorageTool", "format", "-t", _new_cluster_id(), "-c", config.name]
        arguments = self._folder / "format.arguments"
        known = self._secured.records() if self._secured else ()
        write_atomically(arguments, argument_file([*tool, *known]), mode=0o600)
        kept = class_data.used(self._settings, self._class_path())
        try:
            self._run_tool([*self._java(kept), f"@{arguments.name}"])
        finally:
            arguments.unlink()
        part.replace(self.data)
        config.unlink()

    def _run_tool(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            env=os.environ | java.UTF_8,
        )
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise BrokerError(
                f"storage {self.data} cannot be formatted: {lines[-1] if lines else 'no reason'}",
                hint="check space and permissions of that folder",
            )

    def _check_cluster(self, cluster_id: str) -> None:
        meta = (self.data / "meta.properties").read_text()
        own = re.search(r"^cluster\.id=(.+)$", meta, re.MULTILINE)
        if own and own[1].strip() != cluster_id:
            raise BrokerError(
                f"another Kafka (cluster {cluster_id}) answers at {self.bootstrap_servers}",
                hint=f"stop it, or remove {self.ports_file} to choose other ports",
            )

    def _renew_users(self, client: AdminClient) -> None:
        if self._secured and self._secured.trusted:
            users.renew(client, self._secured.users)

    def last_words(self) -> str:
        """A volume without room, the last complaint in the log since the start, else what the JVM said."""
        sources = (
            (self.log_file, self._log_start, r" (?:ERROR|FATAL) (.+)"),
            (self._logs / "broker.out", 0, r"(.+)"),
        )
        for file, start, complaint in sources:
            content = file.read_bytes() if file.is_file() else b""
            text = content[start if start <= len(content) else 0 :].decode(errors="replace")
            if full := NO_ROOM.search(text):
                return f"{self.data}: {full[0]}; free some space"
            if complaints := re.findall(complaint, text):
                return str(complaints[-1]).strip()
        return "it wrote no reason"


def _new_cluster_id() -> str:
    """A Kafka UUID: 22 characters of base 64; Kafka refuses a leading dash."""
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return text if not text.startswith("-") else _new_cluster_id()


def _admin_client(client: Mapping[str, str]) -> AdminClient:
    return AdminClient(
        {
            **client,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        }
    )


def _cluster_id(client: AdminClient) -> str | None:
    """The cluster that answers and has a live broker, else None."""
    try:
        metadata = client.list_topics(timeout=_REQUEST_TIMEOUT_S)
    except KafkaException:
        return None
    return metadata.cluster_id if metadata.brokers else None


def _named(settings: Settings) -> Secured | None:
    return None if settings.broker_security is None else Secured.read(settings.broker_security)

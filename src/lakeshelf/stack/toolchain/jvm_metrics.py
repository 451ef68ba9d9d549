"""What a JVM tells of itself: Kafka's and Spark's own metrics, by the agent of Prometheus's JMX exporter.

Which they are is said by `infra/jmx`. Where `jvm_metrics_port` is not set, no agent is loaded.
"""

from __future__ import annotations

from pathlib import Path

from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings
from lakeshelf.stack.machine import ports
from lakeshelf.stack.toolchain.jars import jar_paths

RULES = Path("infra", "jmx")
PARTS = ("kafka", "spark")
"""JVMs in the order of their ports, the first of which is `jvm_metrics_port`."""


def option(settings: Settings, part: str) -> str:
    """The option of a JVM that tells its metrics; empty where it shall not.

    Args:
        settings: Host, port, and where the agent is.
        part: One of `PARTS`.

    Raises:
        ConfigurationError: The port is taken, or a path is one that options of a JVM cannot name.
        ToolchainError: The agent is missing or damaged.
    """
    if settings.jvm_metrics_port is None:
        return ""
    port = settings.jvm_metrics_port + PARTS.index(part)
    (agent,) = (jar.absolute() for jar in jar_paths(settings, "watch"))
    rules = (settings.home / RULES / f"{part}.yml").absolute()
    if not ports.is_free(port):
        raise ConfigurationError(
            f"metrics of {part} cannot be told at port {port}: another process has it",
            hint="free that port, or set LAKESHELF_JVM_METRICS_PORT to another, or to none",
        )
    for path in (agent, rules):
        if any(sign in str(path) for sign in " =\"'"):
            raise ConfigurationError(
                f"metrics of {part} cannot be told: a JVM takes no agent with {path}",
                hint="have LAKESHELF_HOME and LAKESHELF_CACHE_DIR without blank, = and quotes, or set no "
                "LAKESHELF_JVM_METRICS_PORT",
            )
    return f"-javaagent:{agent}={_host(settings)}:{port}:{rules}"


def _host(settings: Settings) -> str:
    host = settings.telemetry_host
    return f"[{host}]" if ":" in host and not host.startswith("[") else host

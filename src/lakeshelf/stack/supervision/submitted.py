"""A driver inside `spark-submit`: its JVM runs already, is the parent, and gets the signals that are meant for both."""

from __future__ import annotations

import os
import signal
from importlib.metadata import version
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext
from pyspark.java_gateway import ensure_callback_server_started

from lakeshelf.errors import ConfigurationError, ToolchainError
from lakeshelf.stack.supervision import handover

GATEWAY = "PYSPARK_GATEWAY_PORT"
"""The variable by which `spark-submit` tells its child how to reach the JVM."""
NEEDED = (
    "io.delta.sql.DeltaSparkSessionExtension",
    "org.apache.spark.sql.kafka010.KafkaSourceProvider",
)
RELAYED = ("TERM", "INT")
_HINT = "give spark-submit the file that `lakeshelf jobs conf` prints"


def adopt() -> None:
    """Take the JVM that started this process, and end when it does.

    Raises:
        ConfigurationError: None has.
        ToolchainError: It is one without our jars, or of another Spark.
    """
    if GATEWAY not in os.environ:
        raise ConfigurationError(
            "--master submit: this process was not started by spark-submit",
            hint="run `lakeshelf jobs submit`, or name a master",
        )
    os.setsid()  # the terminal's Ctrl-C reaches the JVM alone, which passes it on
    handover.die_with(os.getppid())
    SparkContext._ensure_initialized()  # noqa: SLF001 - connects to the JVM without making a context
    require(SparkContext._jvm)  # noqa: SLF001


def require(jvm: Any) -> None:
    """Refuse a JVM that cannot run the jobs.

    Args:
        jvm: As py4j shows it.

    Raises:
        ToolchainError: It lacks our jars, or is of another Spark.
    """
    spark = getattr(jvm.org.apache.spark, "package$").__getattr__("MODULE$").SPARK_VERSION()
    if spark != version("pyspark"):
        raise ToolchainError(
            f"spark-submit is of Spark {spark}, the driver of {version('pyspark')}",
            hint="use the spark-submit that `lakeshelf jobs conf` names",
        )
    for name in NEEDED:
        try:
            jvm.java.lang.Class.forName(name)
        except Py4JJavaError as error:
            raise ToolchainError(
                f"the JVM of spark-submit lacks {name} on its class path", hint=_HINT
            ) from error


class Relay:
    """Passes a signal of the JVM on to this process, which ends at a batch boundary; else the JVM would just end."""

    class Java:
        """What py4j asks of a Python object that Java calls."""

        implements = ("sun.misc.SignalHandler",)

    def handle(self, received: Any) -> None:
        """Called by the JVM."""
        os.kill(os.getpid(), signal.Signals[f"SIG{received.getName()}"])


def relay_signals() -> None:
    """Have SIGTERM and SIGINT of the JVM reach this process."""
    gateway = SparkContext._gateway  # noqa: SLF001 - as pyspark's own callbacks do
    assert gateway is not None
    ensure_callback_server_started(gateway)  # type: ignore[no-untyped-call]
    signals: Any = gateway.jvm.sun.misc.Signal
    for name in RELAYED:
        signals.handle(signals(name), Relay())

"""Fetching jars with the Ivy that lies in the pyspark wheel: exact versions, nothing transitive."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from lakeshelf.errors import ToolchainError
from lakeshelf.stack.toolchain.trust import PASSWORD, write_trust_store

_DONE = re.compile(r"\[SUCCESSFUL ] \S+!(\S+?)\.jar")
_NOT_FOUND = re.compile(r":: (\S+#\S+;\S+): not found")
_FAILED = re.compile(r"\[FAILED\s+] \S+: (.*\S) \(\d+ms\)")
_REFUSED = re.compile(r"Server access error at url \S+ \((.+)\)")


@dataclass(frozen=True)
class Ivy:
    """How Ivy is run.

    Attributes:
        java: The `java` program.
        folder: Ivy's working folder; finished downloads in it are not fetched again.
        repository: Address of the Maven repository; None for Ivy's own default.
    """

    java: Path
    folder: Path
    repository: str | None = None

    def retrieve(
        self, coordinates: Sequence[str], into: Path, on_artifact: Callable[[str], None]
    ) -> None:
        """Put the jars into a folder as `<artifact>-<version>.jar`.

        Args:
            coordinates: `group:artifact:version` each.
            into: Folder to fill.
            on_artifact: Called with an artifact's name when its download ends.

        Raises:
            ToolchainError: A jar is not there, or the repository does not answer.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        settings, module = self.folder / "settings.xml", self.folder / "module.xml"
        settings.write_text(_settings(self.folder / "cache", self.repository))
        module.write_text(_module(coordinates))
        pattern = f"{into}/[artifact]-[revision].[ext]"
        command = [str(self.java), *self._network(), "-jar", str(_program())]
        command += ["-settings", str(settings), "-ivy", str(module)]
        command += ["-types", "jar", "-retrieve", pattern]
        _run(command, on_artifact)

    def _network(self) -> Iterator[str]:
        """What Python knows of proxies and certificates, said to Java."""
        for scheme, address in urllib.request.getproxies().items():
            proxy = urllib.parse.urlsplit(address)
            if scheme in {"http", "https"} and proxy.hostname:
                yield f"-D{scheme}.proxyHost={proxy.hostname}"
                yield f"-D{scheme}.proxyPort={proxy.port or 80}"
            elif scheme == "no":
                hosts = [f"*{h}" if h.startswith(".") else h for h in address.split(",")]
                yield f"-Dhttp.nonProxyHosts={'|'.join(host.strip() for host in hosts)}"
        store = self.folder / "trust.jks"
        if write_trust_store(store):
            yield f"-Djavax.net.ssl.trustStore={store}"
            yield "-Djavax.net.ssl.trustStoreType=JKS"
            yield f"-Djavax.net.ssl.trustStorePassword={PASSWORD}"


def pyspark_jars() -> Path:
    """Folder of the jars that the pyspark wheel brings.

    Raises:
        ToolchainError: pyspark is not installed.
    """
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ToolchainError("pyspark is not installed", hint="run `make setup`")
    return Path(spec.origin).parent / "jars"


def _program() -> Path:
    jars = sorted(pyspark_jars().glob("ivy-*.jar"))
    if not jars:
        raise ToolchainError(f"no ivy-*.jar in {pyspark_jars()}", hint="install pyspark again")
    return jars[-1]


def _run(command: Sequence[str], on_artifact: Callable[[str], None]) -> None:
    said: list[str] = []
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as ivy:
            assert ivy.stdout is not None
            for line in ivy.stdout:
                said.append(line)
                if done := _DONE.search(line):
                    on_artifact(done[1])
    except OSError as error:
        raise ToolchainError(f"{command[0]} does not run: {error.strerror}") from error
    if ivy.returncode:
        raise _failure("".join(said))


def _failure(output: str) -> ToolchainError:
    missing = _NOT_FOUND.search(output)
    reason = _REFUSED.search(output) or _FAILED.search(output)
    if missing and not reason:
        return ToolchainError(
            f"the Maven repository has no {missing[1]}",
            hint="check infra/jars.toml, or name another one with LAKESHELF_MAVEN_REPOSITORY",
        )
    last = (output.strip().splitlines() or ["Ivy gave no reason"])[-1].strip()
    return ToolchainError(
        f"the jars cannot be fetched: {reason[1] if reason else last}",
        hint="check network, proxy and disk, or name a mirror with LAKESHELF_MAVEN_REPOSITORY",
    )


def _settings(cache: Path, repository: str | None) -> str:
    root = f" root={quoteattr(repository)}" if repository else ""
    return (
        '<ivysettings><settings defaultResolver="repository"/>'
        f"<caches defaultCacheDir={quoteattr(str(cache))}/><resolvers>"
        f'<ibiblio name="repository" m2compatible="true" usepoms="false" checksums=""{root}/>'
        "</resolvers></ivysettings>"
    )


def _module(coordinates: Sequence[str]) -> str:
    names = ("org", "name", "rev")
    dependencies = "".join(
        "<dependency "
        + " ".join(f"{k}={quoteattr(v)}" for k, v in zip(names, jar.split(":"), strict=True))
        + ' conf="default" transitive="false"/>'
        for jar in coordinates
    )
    return (
        '<ivy-module version="2.0"><info organisation="io.lakeshelf" module="jars"/>'
        '<configurations><conf name="default"/></configurations>'
        f"<dependencies>{dependencies}</dependencies></ivy-module>"
    )

"""Docker's engine, Compose and the product's image, made of what package registries have.

The engine runs in a network namespace of its own, so that its bridges and rules touch nothing else. What takes long is
kept between runs in `~/.cache/lakeshelf-containers`: Compose, the stand-in for the base image, the layers of the build.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support import eventually

HOME = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lakeshelf-containers"
BASE = "docker.io/library/python:3.11-slim-bookworm"
IMAGE = "lakeshelf:test"
S3_IMAGE = "versity/versitygw:v1.8.0"
"""As in the Compose file; its stand-in has the same program, and what it is started and asked with."""
PROMETHEUS_IMAGE = "prom/prometheus:v3.5.0"
"""As in the Compose file; its stand-in has Debian's Prometheus, with the command and the folder of the official one."""
POSTGRES_IMAGE = "postgres:17.6-bookworm"
"""As in the Compose file; its stand-in has Debian's PostgreSQL, which begins as the official one does."""
POSTGRES_BEGINS = HOME / "tests" / "containers" / "postgres" / "entrypoint.sh"
PACKAGES = {
    "dockerd": "docker.io",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "iptables": "iptables",
}
"""Program → Debian's package."""
INCLUDED = "python3,python3-venv,python3-pip,ca-certificates"
SHED = ("usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "var/lib/apt/lists/*")
"""What an image has no use for, as the official one does without it."""
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
NAMESPACE = "lakeshelf-containers"
ROOM_GIB = 16
"""Free disk without which nothing is begun: layers, the packed image and the engine's copy of it."""


def lacking() -> str:
    """Why containers cannot be run here; empty: they can."""
    if os.geteuid() != 0:
        return "an engine is started by root"
    if not all(map(shutil.which, PACKAGES)) and shutil.which("apt-get") is None:
        return f"{', '.join(PACKAGES)} are not all installed, and there is no apt-get"
    if shutil.which("go") is None:
        return "Compose is built with Go, which is not installed"
    if not Path("/proc/sys/net/ipv4/ip_forward").exists() or not Path("/sys/fs/cgroup").is_dir():
        return "the kernel has no network namespaces or control groups"
    CACHE.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(CACHE).free / 2**30
    return "" if free >= ROOM_GIB else f"{free:.0f} GiB are free at {CACHE}, {ROOM_GIB} are needed"


def run(*command: object, **options: object) -> str:
    """Run a program to its end; what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return str(done.stdout)


def install() -> None:
    """Install Debian's packages that are not there."""
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=quiet)


def compose() -> Path:
    """Compose, built once from the module that `tests/containers/compose` pins."""
    return _built("compose", "github.com/docker/compose/v5/cmd")


def s3_server() -> Path:
    """The S3 server, built once from the module that `tests/containers/s3` pins."""
    return _built("s3", "github.com/versity/versitygw/cmd/versitygw")


def _built(name: str, target: str) -> Path:
    source = HOME / "tests" / "containers" / name
    digest = hashlib.sha256((source / "go.sum").read_bytes()).hexdigest()[:12]
    program = CACHE / f"{name}-{digest}"
    if not program.exists():
        part = program.with_suffix(".part")
        plain = os.environ | {"CGO_ENABLED": "0"}
        command = ("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", part, target)
        run(*command, cwd=source, env=plain)
        part.rename(program)
    return program


MOST_LAYERS = 60
"""Layers that are kept for later builds; of each change of the sources some gigabytes stay for ever otherwise."""


class Builder:
    """Buildah with a store of its own."""

    def __init__(self) -> None:
        self._store = ("--root", CACHE / "buildah", "--runroot", CACHE / "buildah-run")
        (CACHE / "tmp").mkdir(parents=True, exist_ok=True)

    def run(self, *arguments: object) -> str:
        """Run `buildah`."""
        environment = os.environ | {"STORAGE_DRIVER": "overlay", "TMPDIR": str(CACHE / "tmp")}
        return run("buildah", *self._store, *arguments, env=environment).strip()

    def base(self) -> None:
        """Make the stand-in for the official base: Debian and its Python, which trust whom this machine trusts."""
        if BASE in self.run("images", "--format", "{{.Name}}:{{.Tag}}"):
            return
        archive = CACHE / "base.tar"
        if not archive.exists():
            part = archive.with_suffix(".part.tar")
            slim = f'--customize-hook=cd "$1" && rm -rf {" ".join(SHED)}'
            run("mmdebstrap", "--variant=minbase", f"--include={INCLUDED}", slim, "bookworm", part)
            part.rename(archive)
        container = self.run("from", "scratch")
        self.run("add", container, archive, "/")
        self.run("copy", container, AUTHORITIES, AUTHORITIES)
        self.run("config", "--env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", container)
        self.run("commit", "--rm", container, BASE)

    def build(self) -> Path:
        """Build the image by the product's own file; an archive of it."""
        self.base()
        if len(self.run("images", "--all", "--quiet").split()) > MOST_LAYERS:
            self.run("rm", "--all")  # a build that was broken off leaves its container
            self.run("rmi", "--prune")
        image = self.image("--layers")
        archive = CACHE / f"image-{image[:12]}.tar"
        if not archive.exists():
            for old in CACHE.glob("image-*.tar"):
                old.unlink()
            self.run("push", image, f"docker-archive:{archive}.part:{IMAGE}")
            Path(f"{archive}.part").rename(archive)
        return archive

    def image(self, layers: str) -> str:
        """The id of the image, made of layers that are kept (`--layers`), or all anew (`--no-cache`)."""
        how = ("--isolation", "chroot", "--network", "host", "--pull=never", layers)
        return self.run("bud", "-q", *how, "-f", "infra/Dockerfile", "-t", IMAGE, HOME)

    def s3(self) -> Path:
        """Make the stand-in for the image of the S3 server; an archive of it."""
        program = s3_server()

        def fill(container: str) -> None:
            self.installed(container, "busybox", "busybox --install -s /bin")
            self.run("copy", "--chmod", "0755", container, program, "/app/versitygw")

        return self._stand_in(S3_IMAGE, program.name, fill)

    def prometheus(self) -> Path:
        """Make the stand-in for Prometheus's image; an archive of it."""
        command = "--config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus"
        packages = {
            "prometheus": "install -d -o 65534 /prometheus",
            "busybox": "busybox --install -s /bin",
        }
        made_of = hashlib.sha256(f"{command}{packages}".encode()).hexdigest()[:12]

        def fill(container: str) -> None:
            for package, then in packages.items():
                self.installed(container, package, then)
            started = ("--entrypoint", '["/usr/bin/prometheus"]', "--cmd", command)
            self.run("config", *started, container)

        return self._stand_in(PROMETHEUS_IMAGE, f"prometheus-{made_of}", fill)

    def postgres(self) -> Path:
        """Make the stand-in for PostgreSQL's image; an archive of it."""
        then = "useradd --uid 999 somebody && install -d -o 999 -g 999 -m 0700 /var/lib/postgresql/data"
        made_of = hashlib.sha256(POSTGRES_BEGINS.read_bytes() + then.encode()).hexdigest()[:12]

        def fill(container: str) -> None:
            self.installed(container, "postgresql", then)
            self.run("copy", "--chmod", "0755", container, POSTGRES_BEGINS, "/entrypoint.sh")
            path = "PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            self.run("config", "--entrypoint", '["/entrypoint.sh"]', "--env", path, container)

        return self._stand_in(POSTGRES_IMAGE, f"postgres-{made_of}", fill)

    def installed(self, container: str, package: str, then: str) -> None:
        """Install a package of Debian in a container, and run a command there."""
        how = ("--isolation", "chroot", "--network", "host", container, "--", "sh", "-c")
        quiet = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
        self.run("run", *how, f"{quiet} {package} && {then}")

    def _stand_in(self, image: str, name: str, fill: Callable[[str], None]) -> Path:
        archive = CACHE / f"{name}.tar"
        if not archive.exists():
            self.base()
            container = self.run("from", "--pull=never", BASE)
            fill(container)
            made = self.run("commit", "--rm", container)
            self.run("push", made, f"docker-archive:{archive}.part:docker.io/{image}")
            Path(f"{archive}.part").rename(archive)
        return archive


class Engine:
    """An engine that runs.

    Args:
        folder: Its sockets, and files of its clients.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = folder / "docker.sock"

    def docker(self, *arguments: object) -> str:
        """Run the client."""
        return run("docker", *arguments, env=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which clients find it."""
        return os.environ | {
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self._folder / "client"),
            "LAKESHELF_IMAGE": IMAGE,
        }


@contextmanager
def started(folder: Path) -> Iterator[Engine]:
    """An engine for as long as the block takes; a second one waits, as images and network are those of one."""
    with _alone(), _network():
        engine = Engine(folder)
        with (folder / "engine.log").open("wb") as log:
            process = subprocess.Popen(
                _command(folder, engine.socket), stdout=log, stderr=log, start_new_session=True
            )
        try:
            eventually(lambda: _answers(engine), "the engine answers")
            yield engine
        finally:
            process.terminate()
            process.wait(180)


def _command(folder: Path, socket: Path) -> Sequence[str]:
    return [
        "nsenter",
        f"--net=/run/netns/{NAMESPACE}",
        "dockerd",
        f"--data-root={CACHE / 'engine'}",
        f"--exec-root={folder / 'exec'}",
        f"--pidfile={folder / 'engine.pid'}",
        f"--host=unix://{socket}",
        "--storage-driver=overlay2",
    ]


def _answers(engine: Engine) -> bool:
    asked = ["docker", "version"]
    return not subprocess.run(
        asked, env=engine.environment, capture_output=True, check=False
    ).returncode


@contextmanager
def _alone() -> Iterator[None]:
    with (CACHE / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _network() -> Iterator[None]:
    if NAMESPACE not in run("ip", "netns", "list"):
        run("ip", "netns", "add", NAMESPACE)
    run("ip", "-n", NAMESPACE, "link", "set", "lo", "up")
    try:
        yield
    finally:
        run("ip", "netns", "del", NAMESPACE)


def load(engine: Engine, archive: Path, name: str = "loaded") -> None:
    """Give the engine an image, unless it has this very one."""
    mark = CACHE / "engine" / name
    if mark.exists() and mark.read_text() == archive.name:
        return
    engine.docker("load", "--quiet", "--input", archive)
    engine.docker("image", "prune", "--force")
    mark.write_text(archive.name)

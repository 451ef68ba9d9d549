# ruff: noqa: PLC0415 - what is heavy is imported by the function that needs it
"""What `init`, `jobs new` and `components new` write, from the templates of the package."""

from __future__ import annotations

import difflib
import json
import re
import secrets
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from importlib.machinery import PathFinder
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from tempfile import mkdtemp
from types import MappingProxyType

from lakeshelf.cli.console.output import console, print_json
from lakeshelf.cli.console.terminal import inert
from lakeshelf.cli.platform import whole
from lakeshelf.contracts import CATALOG, Table, Topic, project
from lakeshelf.contracts.project import COMPONENTS, FILE, JOBS, LAYER
from lakeshelf.errors import ConfigurationError, LakeshelfError
from lakeshelf.settings import Settings, config_file

NAMES = {"gitignore": ".gitignore"}
"""File of the template → its name in a project; a package holds no file with a dot in front."""
SUFFIX = ".in"
"""Ending of templates that have placeholders."""
SECRETS = "secrets"
"""Folder of the checkout with the secrets of the Compose file."""
JOB, COMPONENT = "job", "component"
ROOM = {JOB: JOBS, COMPONENT: COMPONENTS[0]}
CONTRACTS = Path("src", "lakeshelf", "contracts", "retail", "apps")
"""Folder of the checkout with the contracts of single apps."""
RULE = "docs/design/retail.md#events"
"""Rule of the checkout that an app follows at first."""
LONGEST = 60
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_COUNTED = {"store_id", "event_type", "event_time"}
"""Fields of an event that a new app counts by."""


@dataclass(frozen=True)
class App:
    """An app that is to be written.

    Attributes:
        kind: `job` or `component`.
        name: Its name, also that of its folder.
        topic: Whose events it counts.
    """

    kind: str
    name: str
    topic: str

    @property
    def module(self) -> str:
        """Name of its module."""
        return self.name.replace("-", "_")

    @property
    def folder(self) -> Path:
        """Its folder below a checkout or project."""
        return Path(ROOM[self.kind], self.name)

    def files(self, layer: str, contract: Path, rule: str = "") -> dict[Path, str]:
        """Its files below a checkout or project → content.

        Args:
            layer: Layer of its table.
            contract: File that declares the table.
            rule: Page and anchor of the rule that it follows; empty: its own page tells it.
        """
        places = {
            "contract.py": contract,
            "app.py": self.folder / f"{self.module}.py",
            "README.md": self.folder / "README.md",
        }
        values = {
            "name": self.name,
            "module": self.module,
            "constant": self.module.upper(),
            "table": f"{layer}/{self.module}",
            "topic": self.topic,
            "contract": f"`{contract if contract.parent != self.folder else contract.name}`",
            "rule": f"[Rule](../../{rule})" if rule else "Rule",
            "named": f"\n\nThe rule is {rule}.\n" if rule else "",
        }
        return {places[path]: content for path, content in _template(self.kind, values)}

    def of_project(self) -> dict[Path, str]:
        """Its files in a project, where each app declares its own tables."""
        return self.files(LAYER, self.folder / FILE)

    def of_checkout(self) -> dict[Path, str]:
        """Its files in the checkout, where the contract package declares all tables."""
        return self.files("curated", CONTRACTS / f"{self.module}.py", RULE)


KAFKA_USER, BROKER_HOST = "lakeshelf", "kafka"
"""Who the containers are to Kafka, and where they find it."""
EXAMPLE = App(JOB, "visits-by-day", "foot_traffic")
"""Job of a new project."""


def project_files() -> dict[Path, str]:
    """Files of a new project → content; its password is new each time."""
    values = {"password": secrets.token_urlsafe(24)}
    files = {Path(path): content for path, content in _template("project", values)}
    return files | EXAMPLE.of_project()


def compose_files() -> dict[str, str]:
    """Secrets of the Compose file → content, and the variables that use them; the secrets are new each time."""
    from lakeshelf.stack.embedded import secured

    return compose_secrets(*SERVICES) | {
        "compose.env": _variables(
            COMPOSE_PROFILES="postgres", LAKESHELF_DATABASE=f"./{SECRETS}/governance_database"
        ),
        "cluster.env": _variables(
            COMPOSE_PROFILES="cluster",
            LAKESHELF_LOCAL_JOBS="0",
            LAKESHELF_LAKE_ROOT="s3://lakeshelf/shop",
            LAKESHELF_S3_ENDPOINT="http://s3:7070",
            LAKESHELF_S3_CREDENTIALS=f"./{SECRETS}/aws_credentials",
            LAKESHELF_KAFKA_USERNAME=KAFKA_USER,
            LAKESHELF_KAFKA_PASSWORD_FILE=f"./{SECRETS}/kafka_password",
            LAKESHELF_KAFKA_AUTHORITY=f"./{SECRETS}/{secured.AUTHORITY}",
            LAKESHELF_KAFKA_CERTIFICATE=f"./{SECRETS}/{secured.CERTIFICATE}",
            LAKESHELF_KAFKA_USERS=f"./{SECRETS}/{secured.USERS}",
        ),
    }


def compose_secrets(*services: str) -> dict[str, str]:
    """Secrets of some of `SERVICES` → content, new each time."""
    return {file: text for service in services for file, text in SERVICES[service]().items()}


def _of_postgres() -> dict[str, str]:
    password = secrets.token_urlsafe(24)
    return {
        "postgres_password": password,
        "governance_database": f"postgresql://lakeshelf:{password}@postgres:5432/lakeshelf",
    }


def _of_s3() -> dict[str, str]:
    return {
        "aws_credentials": "[default]\n"
        f"aws_access_key_id = {secrets.token_hex(10).upper()}\n"
        f"aws_secret_access_key = {secrets.token_urlsafe(30)}\n"
    }


def _of_kafka() -> dict[str, str]:
    from lakeshelf.stack.embedded import certificates, secured

    password = secrets.token_urlsafe(24)
    authority, certificate = certificates.issued(secured.NAME, BROKER_HOST)
    return {
        secured.AUTHORITY: authority,
        secured.CERTIFICATE: certificate,
        secured.USERS: json.dumps({KAFKA_USER: password}),
        "kafka_password": password,
    }


SERVICES: Mapping[str, Callable[[], dict[str, str]]] = MappingProxyType(
    {"kafka": _of_kafka, "postgres": _of_postgres, "s3": _of_s3}
)
"""Service of the Compose file that asks for secrets → what makes them; all users of one service change together."""


def _variables(**values: str) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def write_secrets(folder: Path, files: Mapping[str, str]) -> None:
    """Write secrets for containers: their users are others, who may read the files; only we enter the folder.

    Raises:
        ConfigurationError: Somebody keeps other files there, and others may enter it.
    """
    whole.require_folder(folder)
    content = {Path(name): text for name, text in files.items()}
    if folder.exists():
        _require_private(folder, content)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    whole.place(folder, content, mode=0o644)


def _require_private(folder: Path, files: Mapping[Path, str]) -> None:
    """Refuse a folder that others enter for something else: it would be closed to them."""
    others = [entry.name for entry in folder.iterdir() if Path(entry.name) not in files]
    if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and others:
        raise ConfigurationError(
            f"{folder} holds {min(others)} and can be entered by others; nothing was written",
            hint=f"close it with `{shlex.join(['chmod', 'go=', str(folder)])}`, or move that elsewhere",
        )


def new(settings: Settings, app: App) -> list[Path]:
    """Write an app into the project, or without one into the checkout, and see that everything holds together.

    Returns:
        Its files.

    Raises:
        ConfigurationError: A name or topic that cannot be, or no place for it; then nothing was written.
    """
    home = settings.project or _checkout(settings)
    _require_name(settings, app.name)
    _require_topic(app.topic)
    files = app.of_project() if settings.project else app.of_checkout()
    for path in (app.folder, *files):
        if (home / path).exists():
            raise ConfigurationError(f"{home / path} is there already", hint="choose another name")
    with _whole(home, app, files):
        _examine(settings, app)
    return [home / path for path in files]


def show(files: Sequence[Path], *, as_json: bool) -> None:
    """Tell which files were written, and what comes next."""
    if as_json:
        print_json({"written": [str(file) for file in files]})
        return
    for file in files:
        console().print(inert(str(file)), soft_wrap=True)
    console().print("Next: `lakeshelf check`, then `lakeshelf up`")


@contextmanager
def _whole(home: Path, app: App, files: Mapping[Path, str]) -> Iterator[None]:
    """Write an app; where the block fails, nothing of it stays."""
    staged = Path(mkdtemp(prefix=".new-", dir=home))
    outside = [path for path in files if path.parent != app.folder]
    try:
        whole.write(staged, files)
        for path in (*outside, app.folder):  # what declares comes before what needs it
            (home / path).parent.mkdir(exist_ok=True)
            (staged / path).rename(home / path)
        yield
    except BaseException:
        shutil.rmtree(home / app.folder, ignore_errors=True)
        for path in outside:
            (home / path).unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(staged)


def _checkout(settings: Settings) -> Path:
    """The checkout, where the product itself is worked on."""
    file = config_file()
    if file is not None and file.absolute().parent != settings.home.absolute():
        raise ConfigurationError(
            f"{file} names no project", hint=f'add the line project = "." to {file}'
        )
    if not (settings.home / CONTRACTS).is_dir():
        raise ConfigurationError(
            "there is no project", hint="`lakeshelf init FOLDER` makes one; run this command in it"
        )
    return settings.home


def _require_name(settings: Settings, name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST]
        raise ConfigurationError(
            f"{name!r} is no name of an app: small letters, digits, hyphens, at most {LONGEST}",
            hint=f"did you mean {near}?" if _NAME.fullmatch(near) else "begin with a letter",
        )
    if name in _apps(settings):
        raise ConfigurationError(
            f"the name {name} is taken",
            hint="choose another; see `lakeshelf jobs list` and `lakeshelf components list`",
        )
    if owned := [one.name for one in _declared() if one.owner == name]:
        raise ConfigurationError(
            f"the name {name} is taken by the owner of {owned[0]}",
            hint="choose another, or write the folder of that owner by hand as CONTRIBUTING.md tells",
        )
    if _is_module(name.replace("-", "_")):
        raise ConfigurationError(
            f"{name} is the name of a Python module", hint=f"choose another, such as my-{name}"
        )


def _is_module(name: str) -> bool:
    """Whether Python or a package that is installed has a module of that name, which an app would hide."""
    paths = list(map(sysconfig.get_path, ("purelib", "platlib")))
    installed = PathFinder.find_spec(name, paths) is not None
    return installed or name in sys.stdlib_module_names or name == __name__.partition(".")[0]


def _apps(settings: Settings) -> set[str]:
    """Names of all apps, and of the clock."""
    from lakeshelf.components import registry as components
    from lakeshelf.streams.declare import registry as jobs

    apps = {*jobs.discover(*settings.homes), *components.discover(*settings.homes)}
    return {components.CLOCK, *apps}


def _declared() -> tuple[Table | Topic, ...]:
    """All that has an owner."""
    return (*CATALOG.tables.values(), *CATALOG.topics.values())


def _require_topic(name: str) -> None:
    """Refuse a topic of which `raw` keeps no events that a new app can count."""
    topics = (CATALOG.topics[name] for name in CATALOG.raw_topics)
    fit = [t.name for t in topics if _COUNTED.issubset(f.name for f in t.fields if f.required)]
    if name not in fit:
        near = difflib.get_close_matches(name, fit, n=1)
        raise ConfigurationError(
            f"{name!r} is no topic whose events can be counted: {_lacking(name)}",
            hint=f"did you mean {near[0]}?" if near else f"there are {', '.join(fit)}",
        )


def _lacking(name: str) -> str:
    """What a topic lacks so that a new app can count its events."""
    if name not in CATALOG.topics:
        return "no contract declares it"
    if name not in CATALOG.raw_topics:
        return f"no table raw/{name} tells which of its messages are repeats"
    required = {field.name for field in CATALOG.topics[name].fields if field.required}
    return f"its events need not have {min(_COUNTED - required)}"


def _examine(settings: Settings, app: App) -> None:
    """See that everything holds together with a new app."""
    from lakeshelf.components import registry as components
    from lakeshelf.streams.declare import binding
    from lakeshelf.streams.declare import registry as jobs

    if settings.project is None:
        _bring_reference()
        return
    project.include(settings.project)
    if app.kind == JOB:
        binding.bind(jobs.discover(*settings.homes)[app.name])
    else:
        components.discover(*settings.homes)


def _bring_reference() -> None:
    """Have a process that knows the new contract check all jobs and write the reference pages."""
    command = [sys.executable, "-m", "lakeshelf.cli.main", "contracts", "docs"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LakeshelfError(done.stderr.strip().removeprefix("error: "))


def _template(name: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Path and content of each file of a template."""
    for path, file in _walked(resources.files("lakeshelf.cli") / "templates" / name, ""):
        content = file.read_text(encoding="utf-8")
        if path.endswith(SUFFIX):
            content = Template(content).substitute(values)
        yield NAMES.get(path, path).removesuffix(SUFFIX), content


def _walked(folder: Traversable, above: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        path = f"{above}{entry.name}"
        if entry.is_dir():
            yield from _walked(entry, f"{path}/")
        else:
            yield path, entry

"""What each service may do with Kafka: derived from what jobs and components declare, as ACLs.

A service is whoever comes with a name and password of its own. A process that does the work of several takes the
permissions of each.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from lakeshelf.components import registry
from lakeshelf.components.component import Component
from lakeshelf.components.registry import App
from lakeshelf.components.service import REFUSALS, group
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.derived import kafka
from lakeshelf.contracts.retail.shared import ANY, REFERENCE
from lakeshelf.errors import ConfigurationError
from lakeshelf.streams.declare import registry as jobs
from lakeshelf.streams.declare.job import CLOCK

Operation = Literal[
    "Read", "Write", "Create", "Describe", "DescribeConfigs", "Alter", "AlterConfigs"
]
BOOTSTRAP, JOBS, API, REPLAY, PEOPLE = "bootstrap", "jobs", "api", "replay", "people"
DESCRIBED: tuple[Operation, ...] = ("Describe", "DescribeConfigs")
MADE: tuple[Operation, ...] = ("Create", *DESCRIBED, "Alter", "AlterConfigs")
GROUPS = group("")
"""How the names of our consumer groups begin."""


@dataclass(frozen=True, order=True)
class Permission:
    """What a service may do with something.

    Attributes:
        service: Who.
        resource: `topic` or `group`.
        operations: What; `Read` and `Write` include `Describe`.
        name: Of the topic or group.
        prefixed: Whether `name` is how names begin.
    """

    service: str
    resource: Literal["topic", "group"]
    operations: tuple[Operation, ...]
    name: str
    prefixed: bool = False


def permissions(homes: Sequence[Path]) -> tuple[Permission, ...]:
    """What all services need, by service.

    Args:
        homes: Folders with jobs and components.
    """
    return tuple(sorted({*_ours(), *_of_jobs(homes), *_of_components(homes)}))


def chosen(needed: Sequence[Permission], services: Iterable[str]) -> tuple[Permission, ...]:
    """Those of some services; of all when none is named.

    Raises:
        ConfigurationError: There is no such service.
    """
    known = {one.service for one in needed}
    named = set(services) or known
    if unknown := sorted(named - known):
        raise ConfigurationError(
            f"no service {unknown[0]!r}", hint=f"name one of {', '.join(sorted(known))}"
        )
    return tuple(one for one in needed if one.service in named)


def commands(needed: Iterable[Permission], principal: str | None = None) -> Iterator[str]:
    """Commands of Kafka's own tool that allow it.

    Args:
        needed: What is to be allowed.
        principal: Whom; None: a user of the service's name.
    """
    for (service, resource, operations, prefixed), alike in groupby(sorted(needed), _kind):
        parts = ["--add", "--allow-principal", principal or f"User:{service}"]
        parts += [part for operation in operations for part in ("--operation", operation)]
        parts += ["--resource-pattern-type", "prefixed"] if prefixed else []
        parts += [part for one in alike for part in (f"--{resource}", one.name)]
        yield f"{kafka.tool('kafka-acls.sh')} {shlex.join(parts)}"


def _kind(one: Permission) -> tuple[Any, ...]:
    return one.service, one.resource, one.operations, one.prefixed


def _topics(service: str, names: Iterable[str], *operations: Operation) -> Iterator[Permission]:
    yield from (Permission(service, "topic", operations, name) for name in names)


def _ours() -> Iterator[Permission]:
    """What those need who declare nothing themselves."""
    topics = CATALOG.topics
    anybodys = [name for name, topic in topics.items() if topic.owner == ANY]
    governed = [name for name, topic in topics.items() if topic.owner == REFERENCE]
    yield from _topics(BOOTSTRAP, topics, *MADE)
    yield from _topics(REPLAY, [*anybodys, *governed], "Write")
    yield from _topics(PEOPLE, topics, "Read", *DESCRIBED)
    yield from _topics(PEOPLE, [*anybodys, *governed], "Write")
    yield from _topics(API, governed, "Read")
    yield from _topics(API, ["commands"], "Write")
    yield from _topics(registry.CLOCK, [CLOCK], "Read", "Write")
    for service in (PEOPLE, API, JOBS, registry.CLOCK):
        yield Permission(service, "group", ("Read",), GROUPS, prefixed=True)


def _of_jobs(homes: Sequence[Path]) -> Iterator[Permission]:
    for job in jobs.discover(*homes).values():
        yield from _topics(JOBS, {*job.topics, CLOCK}, "Read")
        yield from _topics(JOBS, {*job.publishes, REFUSALS}, "Write")


def _of_components(homes: Sequence[Path]) -> Iterator[Permission]:
    for name, app in registry.discover(*homes).items():
        yield from _topics(name, _read(app), "Read")
        yield from _topics(name, {*app.publishes, REFUSALS}, "Write")
        leaders = app.follows if issubclass(app, Component) else ()
        yield from (Permission(name, "group", ("Read",), group(one)) for one in (name, *leaders))


def _read(app: App) -> set[str]:
    """Topics that it hears, and those that it reads back: what it publishes, and the events of its tables."""
    heard = {CLOCK, *app.hears} if issubclass(app, Component) else set()
    return heard | set(app.publishes)

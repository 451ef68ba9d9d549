"""Policies as people set them: what is in force, what a change would do, and the message that makes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.choices import chosen
from lakeshelf.contracts import CATALOG, Field
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts import values as contract_values
from lakeshelf.errors import ConfigurationError
from lakeshelf.kafka.consuming import records
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.shop import acts, effects
from lakeshelf.shop.books import DecisionBooks
from lakeshelf.shop.decisions import GLOBAL
from lakeshelf.shop.effects import Effect
from lakeshelf.shop.explain import POLICIES, in_force, limits
from lakeshelf.shop.lists import Listed
from lakeshelf.shop.naming import require_known, with_names
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.declare.job import Job, relation
from lakeshelf.streams.take.refusal import accepted

Values = Mapping[str, Any]


def listed(root: Place, shelf: str | None = None, limit: int | None = None) -> Listed:
    """Policies that somebody set and that are in force, those of all shelves first.

    Returns:
        Rows of `location`, `shelf_id`, `name`, the fields (None where the location has no such field), `actor`,
        `version` and `updated_at`.
    """
    rows = [row for place in POLICIES for row in _alive(root, place)]
    kept = [row for row in rows if shelf in (None, row["shelf_id"])]
    kept.sort(key=lambda row: (row["shelf_id"] != GLOBAL, row["shelf_id"], row["location"]))
    return Listed(with_names(root, kept[:limit]), len(kept))


def shown(root: Place, shelf: str) -> dict[str, dict[str, dict[str, Any]]]:
    """What holds for a shelf: location → field → `value` and `from` (`shelf`, `__GLOBAL__` or `default`).

    Raises:
        ConfigurationError: There is no such shelf.
    """
    require_shelf(root, shelf)
    return {
        place: in_force(topic, tables.whole_rows(root, _table(topic)), shelf)
        for place, topic in POLICIES.items()
    }


def require_shelf(root: Place, shelf: str) -> None:
    """Refuse what is neither a shelf that has a profile nor `__GLOBAL__`.

    Raises:
        ConfigurationError: It is neither; its neighbours are named.
    """
    if shelf != GLOBAL:
        require_known(root, shelf=shelf)


def location_of(names: Collection[str], location: str | None) -> str:
    """The location whose policies have all these fields.

    Args:
        names: Fields.
        location: The location, if it was named.

    Raises:
        ConfigurationError: No location has them all, or several have and none is named.
    """
    if location is not None:
        places = [chosen("location", location, POLICIES)]
    else:
        places = [place for place in POLICIES if set(names) <= set(limits(POLICIES[place]))]
    known = sorted({name for topic in POLICIES.values() for name in limits(topic)})
    for name in names:
        chosen("field of a policy", name, limits(POLICIES[places[0]]) if location else known)
    if len(places) == 1:
        return places[0]
    problem = f"{', '.join(names)} belong to {'several locations' if places else 'no one location'}"
    raise ConfigurationError(problem, hint=f"name one with --location {' or '.join(POLICIES)}")


def typed(location: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of fields that somebody wrote as text.

    Raises:
        ConfigurationError: A text is no value of its field.
    """
    topic = CATALOG.topics[POLICIES[location]]
    return {name: _read(topic.field(name), text) for name, text in texts.items()}


@dataclass(frozen=True)
class PolicyChange:
    """A policy of one shelf, or of all, as it would be.

    Attributes:
        location: `store` or `warehouse`.
        shelf: The shelf, or `__GLOBAL__`.
        known: Latest policies of the topic, in the shape of their table.
        message: The whole message.
    """

    location: str
    shelf: str
    known: pa.Table
    message: dict[str, Any]

    @property
    def topic(self) -> str:
        """Topic that the message goes to."""
        return POLICIES[self.location]

    @property
    def rows(self) -> pa.Table:
        """Policies as they would be."""
        row = {**self.message, "deleted": False}
        made = pa.Table.from_pylist([row], schema=self.known.schema)
        others = self.known.filter(pc.not_equal(self.known["shelf_id"], self.shelf))
        return pa.concat_tables([others, made])

    @property
    def fields(self) -> dict[str, tuple[Any, str, Any]]:
        """Field → value now, where it comes from, and value then, of the shelf itself."""
        now, then = (in_force(self.topic, rows, self.shelf) for rows in (self.known, self.rows))
        return {n: (now[n]["value"], now[n]["from"], then[n]["value"]) for n in now}

    @property
    def is_known(self) -> bool:
        """Whether the latest message says the same already."""
        own = _own(self.known, self.shelf)
        same = {"active", *limits(self.topic)}
        return own is not None and all(own[name] == self.message[name] for name in same)


def setting(
    client: Mapping[str, str], root: Place, location: str, shelf: str, changes: Values, actor: str
) -> PolicyChange:
    """A policy with some of its fields changed; the others stay as they are in force.

    Args:
        client: librdkafka settings that reach the broker.
        root: Lake root.
        location: `store` or `warehouse`.
        shelf: A shelf that has a profile, or `__GLOBAL__`.
        changes: Field → value.
        actor: Who sets it.

    Raises:
        ConfigurationError: There is no such shelf, or a value that the contract refuses.
    """
    require_shelf(root, shelf)
    known = published(client, POLICIES[location])
    held = {n: field["value"] for n, field in in_force(POLICIES[location], known, shelf).items()}
    return _changed(
        client, root, location, shelf, known, {**held, **changes, "active": True}, actor
    )


def unsetting(
    client: Mapping[str, str], root: Place, location: str, shelf: str, actor: str
) -> PolicyChange:
    """The end of a policy: what holds for all shelves, or the default, takes its place.

    Raises:
        ConfigurationError: The shelf has no policy of its own.
    """
    known = published(client, POLICIES[location])
    own = _own(known, shelf)
    if own is None or not own["active"]:
        raise ConfigurationError(
            f"{shelf} has no policy of its own in the {location}",
            hint="see `lakeshelf policies list`",
        )
    held = {name: own[name] for name in limits(POLICIES[location])}
    return _changed(client, root, location, shelf, known, {**held, "active": False}, actor)


def effect(root: Place, engine: Job, change: PolicyChange, today: date) -> Effect:
    """What a change would do to all shelves, by the rules of the engine over the books as they stand.

    Args:
        root: Lake root.
        engine: The job that follows the policies.
        change: The change.
        today: The business day, for lots that expire.
    """
    name = relation(_table(change.topic))
    books = DecisionBooks.of(root, engine, lots=True)
    return effects.effect(books, today, {name: change.known}, {name: change.rows})


def publish(client: Mapping[str, str], change: PolicyChange) -> None:
    """Send the message, and wait until the broker has it."""
    topic = CATALOG.topics[change.topic]
    value = acts.encoded(change.topic, _without_key(change.message)).decode()
    publisher = Publisher(client)
    publisher.encoded(topic, [(change.shelf, value)])
    publisher.flush()


def published(client: Mapping[str, str], name: str) -> pa.Table:
    """The latest message of each key that its owner sent, in the shape of the table of latest policies.

    Args:
        client: librdkafka settings that reach the broker.
        name: `shelf_policies` or `wh_policies`.
    """
    latest: dict[str, dict[str, Any]] = {}
    for record in records(client, name):
        row = accepted(record)
        if row and row["version"] > latest.get(row["shelf_id"], {"version": -1})["version"]:
            latest[row["shelf_id"]] = row
    schema = arrow_contract.schema(CATALOG.tables[_table(name)].columns)
    return pa.Table.from_pylist(list(latest.values()), schema=schema)


def _changed(
    client: Mapping[str, str],
    root: Place,
    location: str,
    shelf: str,
    known: pa.Table,
    held: Values,
    actor: str,
) -> PolicyChange:
    where = [("shelf_id", "=", shelf)]
    kept = tables.rows(root, _table(POLICIES[location]), ["version"], where)["version"].to_pylist()
    before = kept + known.filter(pc.equal(known["shelf_id"], shelf))["version"].to_pylist()
    message = {
        "shelf_id": shelf,
        **held,
        "actor": actor,
        "version": max(before, default=0) + 1,
        "updated_at": acts.business_now(client),
    }
    acts.encoded(POLICIES[location], _without_key(message))
    return PolicyChange(location, shelf, known, message)


def _without_key(message: Values) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "shelf_id"}


def _own(known: pa.Table, shelf: str) -> dict[str, Any] | None:
    rows = known.filter(pc.equal(known["shelf_id"], shelf)).to_pylist()
    return next((row for row in rows if not row["deleted"]), None)


def _alive(root: Place, place: str) -> list[dict[str, Any]]:
    rows = tables.whole_rows(root, _table(POLICIES[place]), [("active", "=", True)]).to_pylist()
    names = dict.fromkeys(name for topic in POLICIES.values() for name in limits(topic))
    stamps = ("actor", "version", "updated_at")
    return [
        {
            "location": place,
            "shelf_id": row["shelf_id"],
            **{name: row.get(name) for name in (*names, *stamps)},
        }
        for row in rows
        if not row["deleted"]
    ]


def _read(field: Field, text: str) -> Any:
    if text == "null" and not field.required:
        return None
    try:
        return contract_values.read(field.type, text if field.enum else orjson.loads(text))
    except ValueError:
        raise ConfigurationError(
            f"{field.name} is {field.type}, not {text!r}", hint=f"it means: {field.doc}"
        ) from None


def _table(topic: str) -> str:
    return f"staging/{topic}"

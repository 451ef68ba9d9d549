"""Examinations of Kafka and the lake: topics, tables, checkpoints, contract, jobs."""

from __future__ import annotations

from collections.abc import Iterator

from lakeshelf.contracts import CATALOG, PRODUCT, Table, project, release
from lakeshelf.contracts.derived import docs as contract_docs
from lakeshelf.counts import count_is, count_of
from lakeshelf.errors import LakeError
from lakeshelf.kafka import durability, open_transactions, topic_counts, topics
from lakeshelf.kafka.authentication import security
from lakeshelf.lake.form.dataset import LIBRARY
from lakeshelf.lake.place.locks import is_held
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded import broker_data
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.observing.diagnosis import CheckFinding, bad, good
from lakeshelf.streams.declare import binding, plan, registry
from lakeshelf.streams.recover import doubles
from lakeshelf.streams.resume import checkpoint, continuity
from lakeshelf.streams.resume.breaks import ways
from lakeshelf.streams.run.runner import DRIVER


def kafka(settings: Settings) -> Iterator[CheckFinding]:
    """Whether Kafka answers; an embedded broker may be down."""
    named, chosen = settings.bootstrap_servers is not None, security(settings)
    if _is_down(settings):
        yield from _at_rest(Broker(settings))
    else:
        client = client_settings(settings)
        topics.end_offsets(client, [])
        yield good(f"answers at {client['bootstrap.servers']}{f' by {chosen}' if named else ''}")
    if not named and chosen != "plaintext":
        yield bad(
            f"security of Kafka is set ({chosen}), and setting bootstrap_servers is not: the embedded broker has none",
            "set LAKESHELF_BOOTSTRAP_SERVERS, or unset the settings kafka_*",
        )


def replication(settings: Settings) -> Iterator[CheckFinding]:
    """What of Kafka outlives a broker; the embedded one is alone."""
    if settings.bootstrap_servers is None:
        yield good("the embedded broker keeps everything alone")
        return
    every = list(durability.kept(client_settings(settings), CATALOG.topics))
    weak = [topic for topic in every if topic.problem]
    yield from (bad(topic.problem, topic.way) for topic in weak)
    if every and not weak:
        brokers, copies = every[0].brokers, min(topic.replicas for topic in every)
        alone = ": what it has is lost with its disk" if brokers == 1 else ""
        yield good(
            f"{count_of(brokers, 'broker')}, at least {count_of(copies, 'replica')} of each topic{alone}"
        )


def _at_rest(broker: Broker) -> Iterator[CheckFinding]:
    cut_off = list(broker_data.cut_off(broker.data))
    for segment in cut_off:
        yield bad(
            f"{segment.parent.name} ends within a record ({segment})",
            f"put a whole copy of {broker.data} back, or run `lakeshelf up`, which ends it before that record",
        )
    if not cut_off:
        yield good("the embedded broker is down; `lakeshelf up` starts it")


def topic_settings(settings: Settings) -> Iterator[CheckFinding]:
    """Topics against the contract."""
    if _is_down(settings):
        yield good("not examined while the embedded broker is down")
        return
    client = client_settings(settings)
    ends = topics.end_offsets(client, list(CATALOG.topics))
    if missing := [name for name, partitions in ends.items() if not partitions]:
        yield bad(
            f"{count_is(len(missing), 'topic')} missing: {', '.join(missing[:3])}",
            "run `lakeshelf bootstrap`",
        )
        return
    differing = [(e.topic, *d) for e in topics.planned(client) for d in e.differences]
    for topic, setting, actual, declared in differing:
        message = f"{topic}: {setting} is {actual}, the contract says {declared}"
        yield bad(message, _alteration(setting, actual, declared))
    opened = open_transactions.lasting(open_transactions.blocking(client, CATALOG.topics))
    yield from (bad(transaction.problem, open_transactions.WAY_ON) for transaction in opened)
    if not differing and not opened:
        counts = topic_counts.readable(client, CATALOG.topics)
        about = "" if all(count.exact for count in counts.values()) else "at most "
        total = sum(count.records for count in counts.values())
        yield good(
            f"{count_of(len(ends), 'topic')} as the contract says, {about}{count_of(total, 'readable record')}"
        )


def _alteration(setting: str, actual: str, declared: str) -> str:
    if setting == topics.PARTITIONS and int(actual) > int(declared):
        return "Kafka takes no partition away: begin another lake with `lakeshelf --lake FOLDER up`"
    return "run `lakeshelf bootstrap --alter-topics`"


def delta_tables(settings: Settings) -> Iterator[CheckFinding]:
    """Tables against the contract and against what this release can write."""
    root = settings.lake_root
    present = set(tables.existing(root)) & CATALOG.tables.keys()
    missing = [name for name in CATALOG.tables if name not in present]
    if missing:
        yield _missing(settings, missing, present)
    contracts = (CATALOG.tables[name] for name in CATALOG.tables if name in present)
    problems = [problem for table in contracts for problem in _table(settings, table)]
    yield from problems
    if not problems and not missing:
        yield good(f"{count_of(len(present), 'table')} as the contract says")


def _missing(settings: Settings, missing: list[str], present: set[str]) -> CheckFinding:
    """What tables that are not there mean: the library makes its own as it needs them, `up` the others at once."""
    if not _begun(settings) and all(CATALOG.tables[name].owner == LIBRARY for name in present):
        return good(
            f"{len(missing)} of {len(CATALOG.tables)} product tables are not there yet; "
            "`lakeshelf bootstrap` or `lakeshelf up` makes them"
        )
    return bad(
        f"{len(missing)} of {len(CATALOG.tables)} product tables are missing: {', '.join(missing)}",
        "run `lakeshelf bootstrap`",
    )


def checkpoints(settings: Settings) -> Iterator[CheckFinding]:
    """Queries that go on exactly where their tables end: ledger, tables, checkpoints and topics agree."""
    if _queries_run(settings):
        yield good("the queries run: each has looked for itself")
        return
    client = None if _is_down(settings) else client_settings(settings)
    plans, has_breaks = _plans(settings), False
    for query in plans:
        for broken in continuity.examine(query, settings, client).breaks:
            has_breaks = True
            yield bad(
                f"query {query.name} cannot go on: {broken.what}",
                f"run `lakeshelf down`; then {ways(broken)}",
            )
    if not has_breaks:
        begun = len(_begun(settings))
        yield good(f"{begun} of {count_of(len(plans), 'query')} begun, all in order")


def places(settings: Settings) -> Iterator[CheckFinding]:
    """Records that stand in raw more than once."""
    names = [f"raw/{topic}" for query in _plans(settings) for topic in query.mirrors]
    present = [name for name in names if tables.exists(settings.lake_root, name)]
    counted = {
        name: doubles.count(tables.open_table(settings.lake_root, name), name) for name in present
    }
    for name, rows in counted.items():
        if rows:
            yield bad(
                f"{name} holds {count_of(rows, 'record')} a second time",
                "run `lakeshelf down`, then `lakeshelf rebuild`",
            )
    if not any(counted.values()):
        yield good(f"each record stands once in {count_of(len(present), 'table')}")


def own(settings: Settings) -> Iterator[CheckFinding]:
    """What the project declares beside the product; the examinations behind this one know it."""
    project.include(settings.project)
    if settings.project is None:
        yield good("no project")
        return
    own = (len(CATALOG.topics) - len(PRODUCT.topics), len(CATALOG.tables) - len(PRODUCT.tables))
    yield good(f"{count_of(own[0], 'topic')}, {count_of(own[1], 'table')} of {settings.project}")


def contract(settings: Settings) -> Iterator[CheckFinding]:
    """The contract against its stored release, and its pages."""
    changes = release.check(PRODUCT)
    yield good(
        f"release {release.latest()}, {count_of(len(changes), 'change')} since, none breaks readers"
    )
    folder = settings.home / "docs" / "reference"
    if folder.is_dir() and (stale := contract_docs.difference(PRODUCT, folder)):
        yield bad(
            f"{len(stale)} pages below {folder} do not fit the contract",
            "run `lakeshelf contracts docs`",
        )


def jobs(settings: Settings) -> Iterator[CheckFinding]:
    """Declarations of the jobs, their SQL among them."""
    plans = _plans(settings)
    texts = [text for query in plans for job in query.jobs for text in binding.bind(job)]
    number = sum(len(query.jobs) for query in plans)
    yield good(
        f"{count_of(number, 'job')} in {count_of(len(plans), 'query')}, {count_of(len(texts), 'text')} of SQL"
    )
    mirrored = {topic for query in plans for topic in query.mirrors}
    for topic in CATALOG.raw_topics:
        if topic not in mirrored:
            table = CATALOG.tables[f"raw/{topic}"]
            yield bad(
                f"no job mirrors {topic}, so {table.name} stays empty",
                f"have the job {table.owner}, which owns it, say mirrors=({topic!r},)",
            )


def _begun(settings: Settings) -> list[str]:
    """Queries that have a checkpoint."""
    names = (query.name for query in _plans(settings))
    return [name for name in names if checkpoint.has_begun(settings.checkpoint_dir, name)]


def _plans(settings: Settings) -> tuple[plan.QueryPlan, ...]:
    return plan.plan(registry.discover(*settings.homes).values())


def _is_down(settings: Settings) -> bool:
    return settings.bootstrap_servers is None and not Broker(settings).is_running()


def _queries_run(settings: Settings) -> bool:
    """Whether a driver runs, so that tables and checkpoints change while they are looked at."""
    return is_held(settings.stack_dir / f"{DRIVER}.lock")


def _table(settings: Settings, declared: Table) -> Iterator[CheckFinding]:
    try:
        table = tables.open_table(settings.lake_root, declared.name)
    except LakeError as error:
        yield bad(error.message, error.hint)
        return
    columns = {field.name for field in table.schema().fields}
    if lacking := [column.name for column in declared.columns if column.name not in columns]:
        yield bad(f"table {declared.name} lacks {', '.join(lacking)}", "run `lakeshelf bootstrap`")

"""Tables of the platform's own books: ledger, journals, manifest of files, runs."""

from __future__ import annotations

from lakeshelf.contracts.layers import Ops
from lakeshelf.contracts.model import Table
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.types import BOOLEAN, DATE, LONG, STRING, TIMESTAMP, Field, ListOf, Struct

JOURNAL_PREFIX = "ops/journal_"
JOURNALING = (
    "wh-supplier-manager",
    "daily-discount-manager",
    "removal-scheduler",
    "producer-foot-traffic",
    "producer-shelf",
    "producer-pos",
    "training-service",
)
"""Components that keep a journal of their own."""


def _count(name: str, doc: str) -> Field:
    return Field(name, LONG, doc, minimum=0, unit="rows")


BATCH_LEDGER = Table(
    name=Ops.BATCH_LEDGER,
    key=("query_id", "batch_id"),
    owner=s.DRIVER,
    doc="One row a micro-batch that did something; `rows_in` = valid + quarantined + duplicate.",
    profile="append_log",
    columns=(
        Field("query_id", STRING, "Application id of the query, which survives its checkpoints."),
        Field("batch_id", LONG, "Number of the micro-batch under that id."),
        Field("query", STRING, "Name of the query."),
        Field("kind", STRING, "Why it was written.", enum=("batch", "gap_accepted", "rebuild")),
        Field("offsets", STRING, "JSON: topic, partition, [from, until) of what was read."),
        _count("rows_in", "Records read."),
        _count("valid", "Records that were valid and new."),
        _count("quarantined", "Records that were refused."),
        _count("duplicate", "Records whose event id was seen before."),
        Field("topics", STRING, "JSON: topic, the four counts of its records."),
        Field("table_versions", STRING, "JSON: table, version that the batch committed."),
        Field("duration_ms", LONG, "How long the batch took.", minimum=0, unit="ms"),
        Field("committer", STRING, "Who committed it: `driver` or `spark`."),
        Field("committed_at", TIMESTAMP, "When it was committed."),
        Field(
            "sources",
            STRING,
            "JSON: topic, its `id` in Kafka, and as `earlier` the time of append by partition up to which raw "
            "holds records of topics of that name before it; null: as the query's row before.",
            required=False,
        ),
        Field(
            "table_ids",
            STRING,
            "JSON: table, its id in Delta; null: as the query's row before.",
            required=False,
        ),
    ),
)

MESSAGE = Struct(
    (
        Field("topic", STRING, "Topic to publish to."),
        Field("key", STRING, "Key of the message."),
        Field("value", STRING, "Value as JSON; null: a tombstone.", required=False),
    )
)


def journal(component: str) -> Table:
    """The journal of a component: decisions, and the messages that follow from them."""
    return Table(
        name=JOURNAL_PREFIX + component.replace("-", "_"),
        key=("entry_id",),
        owner=component,
        doc=(
            f"What {component} decided, one row a decision; what is to be published after a crash "
            "is read from here and never decided again."
        ),
        profile="append_log",
        columns=(
            Field("entry_id", STRING, "Derived from the cause; the same on a repeat."),
            Field("seq", LONG, "Order of the decisions.", minimum=0),
            Field("cause", STRING, "Topic, partition and offset, or tick, that led to it."),
            Field("decision", STRING, "What was decided, as JSON."),
            Field("messages", ListOf(MESSAGE), "Messages that follow from it, in order."),
            Field("event_time", TIMESTAMP, "Due time of the cause, in business time."),
            Field("decided_at", TIMESTAMP, "When it was committed."),
        ),
    )


FILE_ID = Field("file_id", LONG, "Number of the file; never reused.")

FILES = Table(
    name=Ops.FILES,
    key=("file_id",),
    owner="library",
    doc="Manifest of the files that were found for ingestion, and what became of each.",
    profile="shared",
    columns=(
        FILE_ID,
        Field("dataset", STRING, "Dataset that the file is loaded into."),
        Field("source", STRING, "How it came.", enum=("drop", "upload")),
        Field("path", STRING, "Path below `bronze/`, or the upload's own file name."),
        Field("sha256", STRING, "Hash of the content."),
        Field("size", LONG, "Size of the file.", minimum=0, unit="bytes"),
        Field("format", STRING, "Format.", enum=("csv", "jsonl", "parquet", "xlsx")),
        Field("created_at", TIMESTAMP, "When it was discovered; never changes."),
        Field(
            "status",
            STRING,
            "State of its ingestion.",
            enum=("pending", "running", "success", "partial", "quarantined", "failed", "dead"),
        ),
        Field("attempt", LONG, "Times that it was tried.", minimum=0),
        Field("worker", STRING, "Who works on it.", required=False),
        Field("lease_until", TIMESTAMP, "Until when nobody else may.", required=False),
        Field("batch_id", STRING, "Batch of files that it was last loaded with.", required=False),
        Field("rows_loaded", LONG, "Rows that are in the dataset.", minimum=0, unit="rows"),
        Field("rows_refused", LONG, "Rows that are still refused.", minimum=0, unit="rows"),
        Field("error", STRING, "Why the last attempt failed or loaded no row.", required=False),
        Field("updated_at", TIMESTAMP, "When its state last changed."),
        Field(
            "mode",
            STRING,
            "What the last attempt was for: all rows, refused rows, or all rows once more.",
            required=False,
            enum=("load", "retry", "force", "rebuild"),
        ),
        Field("address", STRING, "Path of its content below the lake's root.", required=False),
        Field(
            "modified_at",
            TIMESTAMP,
            "When its content last changed, as the file system says; never changes here.",
            required=False,
        ),
        Field(
            "note",
            STRING,
            "What was left out of it, such as other sheets of a workbook.",
            required=False,
        ),
    ),
)

FILE_REJECTS = Table(
    name=Ops.FILE_REJECTS,
    key=("file_id", "file_line", "rule", "column"),
    owner="library",
    doc="Rows of files that were refused, one a broken rule.",
    profile="shared",
    columns=(
        FILE_ID,
        Field("file_line", LONG, "Line in the source, counted before refusals.", minimum=1),
        Field("dataset", STRING, "Dataset that refused it."),
        Field("row", STRING, "The row as text."),
        Field("rule", STRING, "Rule that it broke."),
        Field("column", STRING, "Column that broke it; empty: the whole row."),
        Field("value", STRING, "Value that broke it, as text.", required=False),
        Field("created_at", TIMESTAMP, "When it was refused."),
        Field("resolved_at", TIMESTAMP, "When a retry loaded it.", required=False),
    ),
)

RUNS = Table(
    name=Ops.RUNS,
    key=("run_id", "dataset", "kind"),
    owner="library",
    doc="Which version of which dataset a run read or wrote, from the commits themselves.",
    profile="shared",
    columns=(
        Field("run_id", STRING, "The run."),
        Field("dataset", STRING, "Name of the dataset."),
        Field("kind", STRING, "What the run did with it.", enum=("read", "write")),
        Field("path", STRING, "Path below the lake's root."),
        Field("table_id", STRING, "Id of the Delta table, new when it is re-created."),
        Field("version", LONG, "Version read or committed.", minimum=0),
        Field("format", STRING, "Storage format."),
        Field("reader_version", LONG, "Reader version of the table's protocol."),
        Field("writer_version", LONG, "Writer version of the table's protocol."),
        Field("features", ListOf(STRING), "Table features in force."),
        Field("route", STRING, "Which engine's way served it."),
        Field("runtime_profile", STRING, "Profile of the runtime."),
        Field("commit_metadata", STRING, "Metadata of the commit, as JSON.", required=False),
        Field("rows", LONG, "Rows read or written.", minimum=0, unit="rows"),
        Field("schema_fingerprint", STRING, "Hash of names and types."),
        Field("parts", STRING, "JSON: each reading or commit, its rows and their fingerprint."),
        Field("why", STRING, "Why the run was done, in words.", required=False),
        Field("status", STRING, "How the run ended.", enum=("published", "failed")),
        Field("run_date", DATE, "Day on which the run began, UTC."),
        Field("started_at", TIMESTAMP, "When the run began."),
        Field("finished_at", TIMESTAMP, "When the run ended."),
    ),
)

CURSORS = Table(
    name=Ops.CURSORS,
    key=("consumer", "dataset", "output"),
    owner="library",
    doc="Who reads the changes of which dataset; the cursor itself stands in the log of the output.",
    profile="shared",
    columns=(
        Field("consumer", STRING, "Name of the consumer."),
        Field("dataset", STRING, "Dataset whose changes it reads."),
        Field("output", STRING, "Dataset that its output goes to."),
        Field("created_at", TIMESTAMP, "When it first read them."),
    ),
)

PUBLICATIONS = Table(
    name=Ops.PUBLICATIONS,
    key=("dataset", "topic_id", "key", "delta_version"),
    owner="dataset-publisher",
    doc="One row a message that was sent for a row of a governed dataset, after the broker had it.",
    profile="append_log",
    columns=(
        Field("dataset", STRING, "The dataset, `project/dataset`."),
        Field("topic", STRING, "Topic that it was sent to."),
        Field("topic_id", STRING, "Id that Kafka gave the topic when it was made."),
        Field("key", STRING, "Key of the message."),
        Field(
            "version", LONG, "Version of the message: the base of the binding and `delta_version`."
        ),
        Field("delta_version", LONG, "Version of the dataset whose row was sent.", minimum=0),
        Field("deleted", BOOLEAN, "Whether the row was gone, and a tombstone was sent."),
        Field("published_at", TIMESTAMP, "When the broker had it."),
    ),
    stats=("version", "published_at"),
)

GOVERNANCE_AUDIT = Table(
    name=Ops.GOVERNANCE_AUDIT,
    key=("project", "number"),
    owner="governance",
    doc="One row an act on governed datasets: a copy of the chains of the audit, by which those are compared.",
    profile="append_log",
    columns=(
        Field("project", STRING, "The chain; empty: that of users, tokens and projects."),
        Field("number", LONG, "Place in the chain, from 1 on.", minimum=1),
        Field("happened_at", TIMESTAMP, "When it happened."),
        Field("user_id", STRING, "Who acted; empty: the service itself."),
        Field("action", STRING, "What was done, such as `cr.approved`."),
        Field("dataset", STRING, "Of which dataset; empty: of none."),
        Field("change_request", LONG, "Number of its change request.", required=False),
        Field("request_id", STRING, "Id of the call, as the log has it."),
        Field("details", STRING, "What else is known, as JSON."),
        Field("previous", STRING, "Hash of the link before it; empty at the first."),
        Field("hash", STRING, "SHA-256 of all the fields before it."),
    ),
    stats=("number", "happened_at"),
)

TABLES = (
    BATCH_LEDGER,
    *(journal(component) for component in JOURNALING),
    FILES,
    FILE_REJECTS,
    RUNS,
    CURSORS,
    PUBLICATIONS,
    GOVERNANCE_AUDIT,
)

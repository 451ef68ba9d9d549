"""What flows: every topic, table and view, declared once.

`PRODUCT` holds the declarations, `CATALOG` those in force, which a project may add to (`project`); everything else is
derived from them:

| module | gives |
|---|---|
| `spark` | Spark schemas |
| `arrow` | Arrow schemas |
| `jsonschema` | JSON Schema of the messages |
| `validate` | the reference validator of messages |
| `delta` | properties and constraints of tables |
| `kafka` | settings of topics |
| `docs` | the reference pages |
| `release` | comparison with the stored release |
| `project` | what a project declares of its own |
"""

from lakeshelf.contracts.catalog import Catalog
from lakeshelf.contracts.model import Bounds, Rule, Table, Topic, View
from lakeshelf.contracts.retail import PRODUCT
from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    ListOf,
    Struct,
)

CATALOG = PRODUCT.with_also()

__all__ = [
    "BINARY",
    "BOOLEAN",
    "CATALOG",
    "DATE",
    "DOUBLE",
    "LONG",
    "PRODUCT",
    "STRING",
    "TIMESTAMP",
    "Bounds",
    "Catalog",
    "Decimal",
    "Field",
    "ListOf",
    "Rule",
    "Struct",
    "Table",
    "Topic",
    "View",
]

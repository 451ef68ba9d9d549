"""A secured broker, its users, and the settings of those who come to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from lakeshelf.components import permissions
from lakeshelf.components.permissions import Permission
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded.broker import Broker
from tests.kafka.certificates import Authority
from tests.kafka.tokens import Provider

ODD = """pa"ss\\wo;rd '=,#{$x} """
PASSWORDS = {
    "ann": ODD,
    "bob": "open-sesame",
    "erin": "guess-me",
    "guest": "come-in",
    "dan": f" {ODD}",
    "gus": "let-me",
    "ida": "look-only",
}
"""User → password; what each may do is up to the tests."""
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Alter": AclOperation.ALTER,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
}


@dataclass(frozen=True)
class Place:
    """A secured broker.

    Attributes:
        folder: Of its certificates.
        authority: The CA that signed them.
        provider: Who signs tokens.
        broker: The broker.
    """

    folder: Path
    authority: Authority
    provider: Provider
    broker: Broker

    @cached_property
    def master(self) -> dict[str, str]:
        """Settings of librdkafka for one who may do everything."""
        return {**self.broker.own_client, "log_level": "0"}

    def allow(self, user: str, *operations: AclOperation, topic: str = "*") -> None:
        """Let a user do something with a topic."""
        bindings = [
            AclBinding(
                ResourceType.TOPIC,
                topic,
                ResourcePatternType.LITERAL,
                f"User:{user}",
                "*",
                operation,
                AclPermissionType.ALLOW,
            )
            for operation in operations
        ]
        admin = AdminClient(self.master)  # its answers come while it lives
        for future in admin.create_acls(bindings).values():
            future.result()

    def allow_services(self, user: str, services: Iterable[str], home: Path) -> None:
        """Let a user do what services need, and nothing else."""
        needed = permissions.chosen(permissions.permissions((home,)), services)
        admin = AdminClient(self.master)  # its answers come while it lives
        unique = {binding for one in needed for binding in bindings(one, user)}
        for future in admin.create_acls(list(unique)).values():
            future.result()

    @property
    def tls_servers(self) -> str:
        """Where certificates are asked for instead of passwords."""
        return self.master["bootstrap.servers"]

    def settings(self, **options: Any) -> Settings:
        """Settings for this broker and its CA."""
        known = {
            "bootstrap_servers": self.broker.bootstrap_servers,
            "kafka_ca_file": self.authority.file,
            "lake_root": self.folder / "others",
        }
        return load_settings(**{**known, **options})

    def of_user(self, name: str, **options: Any) -> Settings:
        """Settings of a user."""
        return self.settings(kafka_username=name, kafka_password=PASSWORDS[name], **options)


def bindings(one: Permission, user: str) -> Iterator[AclBinding]:
    """What has to be bound for a permission."""
    pattern = ResourcePatternType.PREFIXED if one.prefixed else ResourcePatternType.LITERAL
    for operation in one.operations:
        yield AclBinding(
            ResourceType[one.resource.upper()],
            one.name,
            pattern,
            f"User:{user}",
            "*",
            OPERATIONS[operation],
            AclPermissionType.ALLOW,
        )

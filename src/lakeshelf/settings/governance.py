"""Settings of governed datasets: their service, who may call it, and where it keeps what it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from lakeshelf.settings.places import Web


def none_if_empty(value: Any) -> Any:
    """A variable that is there and says nothing, as Compose has it, is none."""
    return None if value == "" else value


class Governance(BaseModel):
    """Settings of governed datasets."""

    governance_database: SecretStr | None = Field(
        None,
        description="PostgreSQL that keeps what is known of governed datasets, postgresql://user:password@host/name; "
        "unset: a file of SQLite in `state_dir`.",
    )
    governance_database_file: Annotated[Path | None, BeforeValidator(none_if_empty)] = Field(
        None,
        description="File that holds the address of that PostgreSQL, password included; beats `governance_database`.",
    )
    governance_sample: bool | None = Field(
        None,
        description="Whether sample people and datasets are made where there are none; unset: beside the embedded "
        "broker, where everything is for trying.",
    )
    governance: bool = Field(
        True,
        description="Whether `lakeshelf up` starts the service of governed datasets, where its extra is installed.",
    )
    governance_worker: Annotated[str | None, Web] = Field(
        None,
        pattern=r"^(http://[^/]+|/.+)$",
        description="Process that judges rows of governed datasets, http://host:port or the path of a socket; "
        "unset: that of the stack.",
    )
    api_host: str = Field("127.0.0.1", description="Address that the API listens at.")
    api_port: int | None = Field(
        None, ge=1, le=65_535, description="Port of the API; unset: one of the lake's own."
    )
    api_origin: Annotated[str | None, Web] = Field(
        None,
        pattern=r"^https?://[^/@?#]+$",
        description="Where browsers find the API if a proxy stands before it, such as https://shelves.example; "
        "unset: where they call it.",
    )
    api_hosts: str = Field(
        "",
        pattern=r"^[^\s/@]*$",
        description="Further names by which the API is called, separated by commas; loopback names, `api_host` and the "
        "host of `api_origin` are known.",
    )
    oidc_issuer: Annotated[str | None, Web] = Field(
        None,
        pattern=r"^https?://[^\s/@?#]+(/[^\s?#]*)?$",
        description="OpenID provider by which people sign in to the API, as it calls itself; unset: none.",
    )
    oidc_client_id: str | None = Field(None, description="The name of the API at that provider.")
    oidc_client_secret_file: Annotated[Path | None, BeforeValidator(none_if_empty)] = Field(
        None,
        description="File of the secret that both share, which others may not read; unset: there is none.",
    )
    api_calls_per_s: float = Field(
        50.0,
        gt=0,
        description="Calls a second that one user may make for long; ten seconds' worth at once.",
    )
    api_failures_per_minute: int = Field(
        20,
        ge=1,
        description="Calls and sign-ins of one address that may fail within a minute to prove who makes them.",
    )
    webhook_private_addresses: bool = Field(
        False,
        description="Whether webhooks may lead into private networks and to this machine, by plain http, too.",
    )
    api_url: Annotated[str | None, Web] = Field(
        None,
        pattern=r"^https?://[^/@]+/?$",
        description="API of governed datasets that commands use; unset: that of the lake's stack.",
    )
    api_token: Annotated[SecretStr | None, BeforeValidator(none_if_empty)] = Field(
        None, description="Token for that API."
    )
    api_user: str | None = Field(
        None, description="User whose token of this machine commands use, where no other is named."
    )

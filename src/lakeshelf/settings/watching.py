"""Settings of what processes tell whoever watches them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from lakeshelf.settings.governance import none_if_empty
from lakeshelf.settings.places import Place, Web

_HTTP = r"^https?://[^/@?#]+(/[^?#]*)?$"


class Watching(BaseModel):
    """Settings of health, metrics, lineage and traces."""

    telemetry_host: str = Field(
        "127.0.0.1", description="Address at which each process tells its health and its metrics."
    )
    telemetry_port: int | None = Field(
        None,
        ge=1,
        le=65_530,
        description="Port of the streams driver there; the next ones are those of components, API, worker and "
        "dataset-publisher. Unset: any that are free, as `lakeshelf status` tells.",
    )
    jvm_metrics_port: Annotated[int | None, BeforeValidator(none_if_empty)] = Field(
        None,
        ge=1,
        le=65_534,
        description="Port there of Kafka's own metrics, told by the embedded broker; the next one is that of Spark's "
        "own, told by the streams driver. Unset: neither are told.",
    )
    openlineage_file: Place | None = Field(
        None,
        description="File to which OpenLineage events of the queries are added, a line each; unset: none.",
    )
    openlineage_url: Annotated[str | None, Web] = Field(
        None,
        pattern=_HTTP,
        description="Server that takes OpenLineage events, such as http://marquez:5000; unset: none.",
    )
    openlineage_namespace: str = Field(
        "lakeshelf", min_length=1, description="Namespace of the queries in these events."
    )
    openlineage_every_batches: int = Field(
        100, ge=1, description="Batches of a query from one of these events to the next."
    )
    otlp_endpoint: Annotated[str | None, Web] = Field(
        None,
        pattern=_HTTP,
        description="Collector that takes traces of batches by OTLP over HTTP, such as http://collector:4318; "
        "unset: nothing is traced.",
    )

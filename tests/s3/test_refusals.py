"""What a store refuses is one line that says why and where, in bounded time, without a secret and half a commit."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.errors import ConfigurationError
from lakeshelf.lake import Lake, StorageError
from lakeshelf.lake.place import object_stores
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.place.object_store_errors import cause_and_hint

from .conftest import SECRET, TOKEN
from .permissions import allowed
from .serving import Server

NAME = "curated/notes"
ROWS = [{"k": 1, "v": "a"}]
QUICK = {"max_retries": "1", "retry_timeout": "2s", "connect_timeout": "1s"}
USES: dict[str, Callable[[Lake], Any]] = {
    "append": lambda lake: lake.append(NAME, ROWS),
    "merge": lambda lake: lake.merge(NAME, ROWS, ["k"]),
    "create": lambda lake: lake.create("curated/other", lake_schema(), key=("k",)),
    "read": lambda lake: lake.read(NAME).read_all(),
    "history": lambda lake: lake.history(NAME),
    "names": lambda lake: lake.names(),
}


def lake_schema() -> Any:
    import pyarrow as pa

    return pa.schema([("k", pa.int64())])


@pytest.fixture
def written(root: str) -> Lake:
    lake = Lake(root)
    lake.append(NAME, ROWS)
    return lake


@pytest.fixture
def dead() -> Iterator[str]:
    """An endpoint that refuses everybody: its port is taken, so that nobody else comes to listen there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_who_is_denied_reads_which_permissions_the_page_names() -> None:
    refusal = cause_and_hint("When listing: AWS Error ACCESS_DENIED (HTTP status 403)")
    assert refusal is not None
    assert {f"s3:{name}" for name in re.findall(r"[A-Z]\w+[a-z][A-Z]\w+", refusal[1])} == allowed()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("key", "cause"),
    [
        ("EXPIRED", "the credentials have expired"),
        ("WRONG", "the credentials are wrong"),
        ("DENIED", "access is denied"),
    ],
)
def test_refused_credentials_are_told_as_such(
    written: Lake, use: str, key: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    require_one_line(Lake(written.root), USES[use], cause)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTS")
    assert [e.version for e in Lake(written.root).history(NAME)] == [1, 0]
    assert Lake(written.root).names() == [NAME]


@pytest.mark.parametrize("use", USES)
def test_a_bucket_that_is_not_there_is_named(use: str) -> None:
    error = require_one_line(Lake("s3://nobody/lake"), USES[use], "there is no such bucket")
    assert "nobody" in str(error)


@pytest.mark.parametrize("use", USES)
def test_a_dead_endpoint_is_named_and_not_waited_for(dead: str, use: str) -> None:
    lake = Lake("s3://nobody/lake", storage_options={"endpoint_url": dead, **QUICK})
    error = require_one_line(lake, USES[use], "the endpoint does not answer")
    assert dead in str(error) or use == "names"


def require_one_line(lake: Lake, use: Callable[[Lake], Any], cause: str) -> StorageError:
    with pytest.raises(StorageError, match=cause) as caught:
        use(lake)
    text = str(caught.value)
    assert "\n" not in text
    assert "\x1b" not in text
    assert caught.value.hint
    assert SECRET not in text
    assert TOKEN not in text
    return caught.value


def test_a_bound_is_an_option_that_counts_unless_the_user_gives_it() -> None:
    assert object_stores.options({}, {})["retry_timeout"] == "20s"
    assert object_stores.options({"retry_timeout": "3m"}, {})["retry_timeout"] == "3m"
    assert Root.at("/a/folder").options is None


def test_without_bounds_an_endpoint_would_be_waited_for_for_minutes(dead: str) -> None:
    """The retries that a message counts are ours, not those of delta-rs."""
    lake = Lake("s3://nobody/lake", storage_options={"endpoint_url": dead, "max_retries": "1"})
    with pytest.raises(StorageError) as caught:
        lake.read(NAME)
    assert "max_retries" in str(caught.value.__cause__)
    assert object_stores.BOUNDS["retry_timeout"].removesuffix("s") in str(caught.value.__cause__)


def test_http_is_for_loopback_unless_it_is_asked_for() -> None:
    far = {"AWS_ENDPOINT_URL": "http://store.example"}
    with pytest.raises(ConfigurationError, match=r"store\.example is not encrypted"):
        object_stores.options(far, {})
    with pytest.raises(ConfigurationError, match="is not encrypted"):
        object_stores.options({}, far)
    assert object_stores.options(far | {"allow_http": "true"}, {})
    assert object_stores.options({}, far | {"AWS_ALLOW_HTTP": "true"}).keys() == (
        object_stores.BOUNDS.keys()
    )
    for host in ("127.0.0.1:9000", "localhost:9000", "[::1]:9000"):
        assert object_stores.options({"endpoint": f"http://{host}"}, {})["AWS_ALLOW_HTTP"] == "true"


def test_credentials_do_not_belong_in_an_address() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Root.at(f"s3://me:{SECRET}@bucket/lake")
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigurationError, match="names no bucket"):
        Root.at("s3:///lake")


def test_nothing_that_is_shown_of_a_lake_holds_its_credentials(written: Lake) -> None:
    given = {"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    lake = Lake(written.root.uri, storage_options=given)
    shown = [repr(lake), repr(lake.root), str(lake.root), repr(lake.snapshot(NAME))]
    shown += [repr(lake.snapshot(NAME).handle), repr(lake.dataset(NAME)), repr(lake.history(NAME))]
    assert SECRET not in "".join(shown)
    assert TOKEN not in "".join(shown)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Generic S3 error ↳ Error performing PUT http://169.254.169.254/latest/api/token 403 Forbidden",
         "no credentials were found"),
        ("Generic S3 error ↳ 403 Forbidden ↳ <Code>SignatureDoesNotMatch</Code>", "are wrong"),
        ("When listing: AWS Error ACCESS_DENIED during ListObjectsV2 operation (HTTP status 403)",
         "access is denied"),
        ("Generic S3 error ↳ 301 Moved Permanently", "in another region"),
        ("Operation `put_opts` when conditional put is disabled not yet implemented by AmazonS3(x)",
         "does not put on condition"),
    ],
)  # fmt: skip
def test_a_cause_is_known_by_what_delta_and_arrow_write(text: str, cause: str) -> None:
    found = cause_and_hint(text)
    assert found is not None
    assert cause in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "Object at location a/b not found: Error performing GET http://s/a 404 Not Found",
        "Permission denied (os error 13)",
        "1 rows failed validation check: AccessDenied = 1",
    ],
)
def test_what_is_no_refusal_of_a_store_is_left_alone(text: str) -> None:
    assert cause_and_hint(text) is None


def test_without_conditional_put_nothing_is_committed(written: Lake) -> None:
    unsafe = Lake(written.root.uri, storage_options={"conditional_put": "disabled"})
    require_one_line(unsafe, USES["append"], "does not put on condition")
    assert Lake(written.root).snapshot(NAME).version == 1


PROFILES = f"""
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = {SECRET}
[shop]
aws_access_key_id = WRONGSHOP
aws_secret_access_key = {SECRET}
aws_session_token = {TOKEN}
[empty]
role_arn = arn
"""


@pytest.fixture
def profiles(tmp_path: Path, server: Server) -> dict[str, str]:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(PROFILES)
    config = f"[profile shop]\nregion = eu-north-1\nendpoint_url = {server.endpoint}\n"
    (tmp_path / ".aws" / "config").write_text(config)
    return {"HOME": str(tmp_path)}


def test_keys_come_from_the_profile_that_is_chosen(profiles: dict[str, str]) -> None:
    assert object_stores.options({}, profiles)["AWS_ACCESS_KEY_ID"] == "AKIADEFAULT"
    chosen = object_stores.options({}, profiles | {"AWS_PROFILE": "shop"})
    assert chosen["AWS_SESSION_TOKEN"] == TOKEN
    assert chosen["AWS_REGION"] == "eu-north-1"
    assert chosen["AWS_ALLOW_HTTP"] == "true"


def test_options_beat_variables_and_those_a_profile(profiles: dict[str, str]) -> None:
    given = {"access_key_id": "mine", "secret_access_key": "mine"}
    assert "AWS_ACCESS_KEY_ID" not in object_stores.options(given, profiles)
    set_ = profiles | {"AWS_ACCESS_KEY_ID": "mine", "AWS_REGION": "here", "AWS_PROFILE": "shop"}
    found = object_stores.options({}, set_)
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_REGION"} & found.keys()


def test_a_profile_that_cannot_be_used_is_refused(profiles: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no profile 'none'"):
        object_stores.options({}, profiles | {"AWS_PROFILE": "none"})
    with pytest.raises(ConfigurationError, match="has no keys"):
        object_stores.options({}, profiles | {"AWS_PROFILE": "empty"})
    (tmp_path / ".aws" / "credentials").write_text(f"{SECRET}\n")
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        object_stores.options({}, profiles)
    assert SECRET not in str(caught.value)


def test_a_lake_is_written_with_the_keys_of_a_profile(
    root: str, profiles: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", profiles["HOME"])
    monkeypatch.setenv("AWS_PROFILE", "shop")
    require_one_line(Lake(root), USES["append"], "the credentials are wrong")
    require_one_line(Lake(root), USES["names"], "the credentials are wrong")

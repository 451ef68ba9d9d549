"""A version is there whole, as its card and the registry say, or it is refused in one line."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.errors import LakeshelfError
from lakeshelf.forecast.versions import folders
from lakeshelf.forecast.versions.cards import VERSION, Card, Features
from lakeshelf.forecast.versions.errors import WAY, ModelError, VersionDamaged
from lakeshelf.forecast.versions.places import LocalVersion, at
from lakeshelf.lake.place.errors import StorageError
from tests.forecast.versions import cases

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # LightGBM takes a second to import
HOME = Path(__file__).parents[3]
Damage = Callable[[Path], Any]


def read(path: Path, sha: str | None = None) -> folders.Version:
    return folders.read(LocalVersion(path), path.name, sha)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder, written = cases.published(tmp_path)
    assert str(folder).startswith(f"{tmp_path}/20260930-")
    assert re.fullmatch(VERSION, Path(str(folder)).name)
    assert folder.names() == {*folders.FILES, "card.json"}
    again = read(Path(str(folder)), written.card_sha256)
    assert again == written
    assert again.trained.settings == {**cases.SETTINGS, "of": (1, 2.5)}
    assert again.trained.columns == cases.COLUMNS
    assert again.reference == cases.reference()
    assert [entry.name for entry in tmp_path.iterdir()] == [Path(str(folder)).name]


def test_the_same_model_written_twice_is_one_version_with_the_first_card(tmp_path: Path) -> None:
    _, first = cases.published(tmp_path)
    _, second = cases.published(tmp_path, run_id="run-2")
    assert second == first
    with pytest.raises(ModelError, match=r"the same trees with another reference.json"):
        folders.write(
            LocalVersion(tmp_path / first.card.model_version),
            cases.trained(),
            cases.reference().model_copy(update={"shares": {}}),
            cases.ORIGIN,
        )


def test_a_version_is_below_the_root_of_its_lake(tmp_path: Path) -> None:
    assert str(at(tmp_path, "warehouse_optimizer", "v")) == (
        f"{tmp_path}/models/warehouse_optimizer/v"
    )
    assert str(at("s3://bucket/lake", "m", "v")) == "s3a://bucket/lake/models/m/v"
    with pytest.raises(StorageError, match="no models can be kept at"):
        at("gs://bucket", "m", "v")


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def link(path: Path) -> None:
    path.rename(path.parent / "elsewhere") if path.is_dir() else path.rename(f"{path.parent}.file")
    path.symlink_to(path.parent / "elsewhere" if path.suffix == "" else f"{path.parent}.file")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def subfolder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Damage] = {
    "is not there": shutil.rmtree,
    "is no version: it has no card.json": lambda path: (path / "card.json").unlink(),
    "lacks 'q50.txt'": lambda path: (path / "q50.txt").unlink(),
    "holds another file, 'notes\\nx'": lambda path: (path / "notes\nx").touch(),
    "mean.txt was changed: its SHA-256": lambda path: (path / "mean.txt").write_text("tree\n"),
    "features.json was changed: its SHA-256": lambda path: grow(path / "features.json"),
    "reference.json was changed: its SHA-256": lambda path: grow(path / "reference.json"),
    "card.json was changed: its SHA-256": lambda path: grow(path / "card.json"),
    "mean.txt is a link": lambda path: link(path / "mean.txt"),
    "mean.txt is no plain file": lambda path: pipe(path / "mean.txt"),
    "q99.txt is no plain file": lambda path: subfolder(path / "q99.txt"),
    "mean.txt is larger than": lambda path: os.truncate(path / "mean.txt", folders.LARGEST + 1),
    "card.json is larger than": lambda path: os.truncate(
        path / "card.json", folders.LARGEST_JSON + 1
    ),
    " is a link": link,
    "is no folder": lambda path: (shutil.rmtree(path), path.touch()),
}


def test_a_version_is_looked_through_again_only_where_its_files_are_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, written = cases.published(tmp_path, run_id=str(tmp_path))
    path, whole = Path(str(folder)), (Path(str(folder)) / "mean.txt").read_bytes()
    looked: list[str] = []
    check = folders.texts.check
    monkeypatch.setattr(folders.texts, "check", lambda *of: (looked.append(of[3]), check(*of)))
    assert read(path, written.card_sha256) == read(path, written.card_sha256) == written
    assert looked == []
    grow(path / "mean.txt")
    with pytest.raises(VersionDamaged, match=r"mean\.txt was changed: its SHA-256"):
        read(path, written.card_sha256)
    assert looked == []
    (path / "mean.txt").write_bytes(whole)
    assert read(path, written.card_sha256) == written
    with pytest.raises(VersionDamaged, match="not 20260930-000000000000"):
        folders.read(LocalVersion(path), "20260930-000000000000", written.card_sha256)
    other, _ = cases.published(tmp_path / "other", run_id=f"{tmp_path} again")
    assert sorted(set(looked)) == sorted(f"{other}/{name}" for name in folders.TEXTS)


@pytest.mark.parametrize("named", DAMAGES)
def test_damage_is_named_with_its_file_and_the_way_out(named: str, tmp_path: Path) -> None:
    folder, written = cases.published(tmp_path)
    path = Path(str(folder))
    DAMAGES[named](path)
    with pytest.raises(VersionDamaged) as refused:
        read(path, written.card_sha256)
    assert named in refused.value.message
    assert str(path) in refused.value.message
    assert "\n" not in str(refused.value)
    assert refused.value.hint == WAY
    assert "`lakeshelf models train`" in WAY


CARDS = {
    "the file: Invalid JSON": lambda text: "[" * 100_000,
    "model_name: ": lambda text: text.replace('"warehouse_optimizer"', "7"),
    "card.json: trained: Extra inputs": lambda text: text.replace('"format"', '"trained": 1, "format"'),
    "settings.learning_rate": lambda text: text.replace("0.1", "NaN"),
    "scores.0.value: ": lambda text: text.replace("0.5", "1e999"),
    "settings.trees": lambda text: text.replace('"trees": 4', '"trees": {"a": {}}'),
    "is tested on days that it was trained on": lambda text: text.replace("2026-08-31", "2026-09-01"),
    "is version 20260930-": lambda text: text.replace("0.97", "0.98"),
    "names other files": lambda text: text.replace("q50.txt", "../q50.txt"),
    "not 20260930-000000000000": lambda text: re.sub(
        "20260930-[0-9a-f]{12}", "20260930-" + "0" * 12, text
    ),
}  # fmt: skip


@pytest.mark.parametrize("named", CARDS)
def test_a_card_from_elsewhere_is_what_is_declared_or_refused(named: str, tmp_path: Path) -> None:
    folder, _ = cases.published(tmp_path)
    card = Path(str(folder)) / "card.json"
    changed = CARDS[named](card.read_text())
    assert changed != card.read_text()
    card.write_text(changed)
    with pytest.raises(VersionDamaged) as refused:
        folders.read(folder)
    assert named in refused.value.message
    assert len(refused.value.message) < 600


def test_columns_that_are_not_those_of_the_texts_are_refused(tmp_path: Path) -> None:
    folder, written = cases.published(tmp_path)
    path = Path(str(folder))
    features = (path / "features.json").read_bytes().replace(b"units_7d", b"stock_7d")
    (path / "features.json").write_bytes(features)
    files = {**written.card.files, "features.json": folders._digest(features)}
    (path / "card.json").write_bytes(written.card.model_copy(update={"files": files}).content())
    with pytest.raises(VersionDamaged, match=r"mean.txt is no head mean of ours: feature_names is"):
        folders.read(folder)


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, folders.Version]:
    folder, version = cases.published(tmp_path_factory.mktemp("intact"))
    return Path(str(folder)), version


@settings(max_examples=150)
@given(data=st.data())
def test_any_damage_of_any_file_is_an_error_or_changes_nothing(
    data: st.DataObject,
    intact: tuple[Path, folders.Version],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    source, version = intact
    path = tmp_path_factory.mktemp("damaged") / source.name
    shutil.copytree(source, path)
    file = path / data.draw(st.sampled_from([*sorted(version.card.files), "card.json"]))
    text = data.draw(cases.damaged(file.read_text()))
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    for sha in (version.card_sha256, None):
        if isinstance(again := outcome(path, sha), LakeshelfError):
            assert "\n" not in str(again)
            assert again.hint
        else:
            assert again.trained.heads == version.trained.heads
            assert again.trained.columns == version.trained.columns


def outcome(path: Path, sha: str | None) -> folders.Version | LakeshelfError:
    try:
        return read(path, sha)
    except LakeshelfError as error:
        return error


PUBLISH = """
import sys
from pathlib import Path
from lakeshelf.forecast.versions.places import LocalVersion
source, target = map(Path, sys.argv[1:])
files = {path.name: path.read_bytes() for path in sorted(source.iterdir())}
files["card.json"] = files.pop("card.json")
LocalVersion(target).publish(files)
"""


@pytest.mark.parametrize("point", [0, 5, 8])
def test_killed_while_it_is_written_there_is_no_version_and_the_next_attempt_makes_one(
    point: int, intact: tuple[Path, folders.Version], tmp_path: Path
) -> None:
    source, version = intact
    target = tmp_path / source.name
    killed = subprocess.run(
        [sys.executable, "-c", PUBLISH, source, target],
        env=os.environ | {"LAKESHELF_CRASH_AT": f"version_after_file:{point}"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not [entry.name for entry in tmp_path.iterdir() if re.fullmatch(VERSION, entry.name)]
    with pytest.raises(VersionDamaged, match="is not there"):
        read(target)
    folder, written = cases.published(tmp_path)
    assert (str(folder), written) == (str(target), version)


FULL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
from lakeshelf.lake.place.errors import StorageError
try:
    exec(sys.stdin.read())
except StorageError as error:
    print(error)
"""


def test_a_disk_without_room_is_named_and_nothing_is_left(
    intact: tuple[Path, folders.Version], tmp_path: Path
) -> None:
    source, _ = intact
    target = tmp_path / source.name
    told = subprocess.run(
        [sys.executable, "-c", f"import sys{FULL_DISK}", source, target],
        input=PUBLISH, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.startswith(f"{target} cannot be written: ")
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_folder_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(VersionDamaged, match="is no folder"):
        cases.published(tmp_path / "models")
    with pytest.raises(StorageError, match=r"cannot be written: .*; check disk"):
        LocalVersion(tmp_path / "models" / "v").publish({})


def test_another_correction_is_another_version() -> None:
    one = cases.trained()
    other = replace(one, settings={**one.settings, "factors": {"S1": 1.1, "": 0.97}})
    names = {folders.model_version(of, cases.ORIGIN.trained_until) for of in (one, other)}
    assert len(names) == 2


def test_files_follow_from_the_model_alone(tmp_path: Path) -> None:
    _, one = cases.published(tmp_path / "one")
    _, other = cases.published(tmp_path / "other")
    assert one.card == other.card
    assert isinstance(one.card, Card)
    assert Features.of(cases.COLUMNS).read() == cases.COLUMNS

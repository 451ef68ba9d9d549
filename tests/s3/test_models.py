"""Versions of models in a bucket: the card makes one, and whoever comes second reads what is there."""

from __future__ import annotations

import pytest

from lakeshelf.forecast.versions import folders, places
from lakeshelf.forecast.versions.errors import VersionDamaged
from lakeshelf.lake.place.errors import Conflict
from lakeshelf.lake.place.folders import BucketFolder
from lakeshelf.lake.place.location import Root
from tests.forecast.versions import cases

pytestmark = [pytest.mark.slow, pytest.mark.ml]
MODEL = "warehouse_optimizer"
NAME = folders.model_version


@pytest.fixture
def version(root: str) -> places.VersionFolder:
    return places.at(root, MODEL, NAME(cases.trained(), cases.ORIGIN.trained_until))


def write(folder: places.VersionFolder) -> folders.Version:
    return folders.write(folder, cases.trained(), cases.reference(), cases.ORIGIN)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("puts", [0, 4, len(folders.FILES)])
def test_cut_off_between_files_there_is_no_version_until_the_next_attempt(
    puts: int, version: places.VersionFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(puts))
    put = BucketFolder._put

    def some(self: BucketFolder, *content: object) -> str:
        if next(left, None) is None:
            raise Killed
        return put(self, *content)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(BucketFolder, "_put", some)
        with pytest.raises(Killed):
            write(version)
    assert len(version.names()) == puts
    with pytest.raises(
        VersionDamaged, match="is no version: it has no card" if puts else "not there"
    ):
        folders.read(version)
    written = write(version)
    assert folders.read(version, written.card.model_version, written.card_sha256) == written
    assert write(version) == written


def test_who_comes_second_leaves_the_card_that_is_there(version: places.VersionFolder) -> None:
    first = write(version)
    with pytest.raises(Conflict, match="was written by another meanwhile"):
        version.publish({"card.json": b"{}"})
    assert folders.read(version) == first


def test_what_is_too_large_is_not_fetched(
    root: str, version: places.VersionFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(version)
    assert (BucketFolder(Root.at(root), f"models/{MODEL}") / "none").children() == set()
    monkeypatch.setattr(BucketFolder, "tagged", lambda self: pytest.fail("it was fetched"))
    with pytest.raises(VersionDamaged, match=r"mean.txt is larger than 100 bytes"):
        version.content("mean.txt", 100)
    with pytest.raises(VersionDamaged, match=r"none.txt is missing"):
        version.content("none.txt", 100)

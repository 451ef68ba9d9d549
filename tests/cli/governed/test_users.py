"""The first user is made on the machine, once."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from lakeshelf.governance.metadata import Metadata
from lakeshelf.settings import load_settings
from tests.conftest import Run


def test_the_first_user_has_a_token_in_a_file_of_their_own(lake: Path, lakeshelf: Run) -> None:
    told = json.loads(lakeshelf("users", "bootstrap", "zoe", "--json").out)
    file = Path(told["file"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    settings = load_settings()
    with Metadata.open(settings.governance_place) as metadata, metadata.reading() as tx:
        user, token = tx.people.authenticate(
            file.read_text().strip(), tx.people.get("zoe").created_at
        )
    assert (user.name, user.admin, token.id) == ("zoe", True, told["token"])


def test_there_is_one_first_user(lakeshelf: Run) -> None:
    assert lakeshelf("users", "bootstrap", "zoe").code == 0
    assert "there is a user already: zoe" in lakeshelf("users", "bootstrap", "yan").error


def test_a_name_that_is_none_makes_nobody(lakeshelf: Run) -> None:
    assert "'../x' is no id of a user" in lakeshelf("users", "bootstrap", "../x").error
    assert lakeshelf("users", "bootstrap", "zoe").code == 0

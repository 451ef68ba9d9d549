"""What a dataset may begin with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.context import Context
from tests.governance.services.conftest import ANN, DATASET, PROJECT
from tests.governance.services.test_meanwhile import database

__all__ = ["database"]
pytestmark = pytest.mark.timeout(300)


def test_a_topic_is_fed_by_one_dataset(context: Context) -> None:
    with pytest.raises(GovernanceError, match=f"{DATASET} is bound to") as refusal:
        datasets.create(context, ANN, PROJECT, "another", bound(CATALOG.topics[DATASET]))
    assert refusal.value.code == "exists"


def test_a_dataset_begins_with_the_first_version_of_its_definition(context: Context) -> None:
    later = replace(bound(CATALOG.topics["wh_policies"]), version=7)
    with pytest.raises(GovernanceError, match="begins with version 1"):
        datasets.create(context, ANN, PROJECT, "another", later)

"""Merged rows of governed datasets go to the topics that the jobs obey (docs/design/governance.md#publication)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lakeshelf.components.component import Follower
from lakeshelf.contracts.layers import Ops
from lakeshelf.governance.publication.following import Following
from lakeshelf.governance.publication.publisher import PUBLISHER
from lakeshelf.lake.place.claims import claim
from lakeshelf.lake.place.locks import FileLock


class DatasetPublisher(Follower):
    """Sends what change requests changed, as their dataset has it now."""

    name = PUBLISHER
    doc = "Sends rows of governed datasets that were merged to the topics that the jobs obey."
    publishes = ("shelf_profiles", "shelf_policies", "wh_policies", "batch_catalog")
    journal = Ops.PUBLICATIONS

    def run(self, stop: threading.Event, ready: Callable[[], None]) -> None:
        """Run until `stop` is set; `ready` is called once it has the lease.

        Raises:
            LakeError: Another process runs the component, or the lake cannot be written.
            BrokerError: The broker does not answer.
        """
        settings = self.context.settings
        lock = settings.stack_dir / "locks" / f"{self.name}.lock"
        with FileLock(lock, f"component {self.name}"):
            claim(settings.lake_root, settings.state_dir)
            following = Following(self.context.lake.root, settings.stack_dir, self.context.client)
            ready()
            following.run(stop)


COMPONENT = DatasetPublisher

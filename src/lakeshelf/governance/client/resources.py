"""Projects and datasets, each with what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from lakeshelf.governance.client.calls import Calls, Content, Json, many, one, part
from lakeshelf.governance.client.changes import Request, Session
from lakeshelf.governance.client.uploads import LOAD_S, Upload
from lakeshelf.governance.domain.editing.files import Format, Mode

DELIVERIES = 1_000
"""Deliveries that are asked for at once."""
_FILE_NAME = re.compile(r'filename="([\w.-]+)"')


@dataclass(frozen=True)
class Project:
    """A project."""

    calls: Calls
    id: str

    @property
    def path(self) -> str:
        """Its path."""
        return f"/projects/{part(self.id)}"

    def get(self) -> Json:
        """What it is, and what the user `can` do in it."""
        return one(self.calls.get(self.path))

    def datasets(self) -> list[Json]:
        """Its datasets."""
        return many(self.calls.get(f"{self.path}/datasets"))

    def dataset(self, dataset: str) -> Dataset:
        """A dataset; nothing is asked yet."""
        return Dataset(self.calls, self, dataset)

    def create_dataset(
        self,
        dataset: str,
        definition: Mapping[str, Any],
        *,
        title: str = "",
        description: str = "",
    ) -> Dataset:
        """A new dataset, without rows."""
        body = {
            "id": dataset,
            "definition": dict(definition),
            "title": title,
            "description": description,
        }
        self.calls.post(f"{self.path}/datasets", body)
        return self.dataset(dataset)

    def members(self) -> list[Json]:
        """Members with their roles."""
        return many(self.calls.get(f"{self.path}/members"))

    def set_role(self, user: str, role: str) -> Json:
        """Give a user a role: `owner`, `contributor`, `viewer` or `service`."""
        return one(self.calls.put(f"{self.path}/members/{part(user)}", {"role": role}))

    def remove_member(self, user: str) -> None:
        """Take a user out."""
        self.calls.delete(f"{self.path}/members/{part(user)}")

    def requests(
        self,
        *,
        dataset: str | None = None,
        status: Sequence[str] = (),
        created_by: str | None = None,
        below: int | None = None,
        limit: int = 100,
    ) -> list[Json]:
        """Change requests, the newest first."""
        return many(
            self.calls.get(
                f"{self.path}/change_requests",
                dataset=dataset,
                status=list(status) or None,
                created_by=created_by,
                below=below,
                limit=limit,
            )
        )

    def request(self, number: int) -> Request:
        """A change request; nothing is asked yet."""
        return Request(self.calls, self, number)

    def infer(
        self,
        file_name: str,
        content: Content,
        key: Sequence[str] = (),
        declared: Sequence[str] = (),
    ) -> Json:
        """The definition that a file suggests for a dataset that is not there yet."""
        path, asked = f"{self.path}/inferences", {"key": list(key), "declared": list(declared)}
        return one(self.calls.send(path, content, file_name=file_name, **asked))

    def uploads(self, dataset: str | None = None) -> list[Json]:
        """Files that were sent, the newest first."""
        return many(self.calls.get(f"{self.path}/uploads", dataset=dataset))

    def upload(self, upload_id: str) -> Upload:
        """A file that was sent; nothing is asked yet."""
        return Upload(self.calls, f"{self.path}/uploads/{part(upload_id)}")

    def validation_run(self, run: str, offset: int = 0, limit: int = 200) -> Json:
        """A run of the validation: `run`, `summary`, `findings` and their `total`."""
        page = f"{self.path}/validation_runs/{part(run)}"
        return one(self.calls.get(page, offset=offset, limit=limit))

    def audit(self, *, after: int = 0, limit: int = 100) -> list[Json]:
        """Acts in it, in order."""
        return many(self.calls.get(f"{self.path}/audit", after=after, limit=limit))

    def webhooks(self) -> list[Json]:
        """Addresses that are told of its events, for owners."""
        return many(self.calls.get(f"{self.path}/webhooks"))

    def add_webhook(self, url: str, kinds: Sequence[str] = ()) -> Json:
        """Send events (of kinds such as `cr.merged` or `cr`; none: all) to an address; `secret` is told this once."""
        return one(self.calls.post(f"{self.path}/webhooks", {"url": url, "kinds": list(kinds)}))

    def switch_webhook(self, webhook: str, *, enabled: bool) -> Json:
        """Send an address nothing for now, or what happens from now on."""
        path = f"{self.path}/webhooks/{part(webhook)}"
        return one(self.calls.patch(path, {"enabled": enabled}))

    def remove_webhook(self, webhook: str) -> None:
        """Send an address nothing more."""
        self.calls.delete(f"{self.path}/webhooks/{part(webhook)}")

    def deliveries(self, webhook: str) -> list[Json]:
        """What was sent to an address or is on its way, the newest first, all of it."""
        path = f"{self.path}/webhooks/{part(webhook)}/deliveries"
        listed: list[Json] = []
        while True:
            below = {"below": listed[-1]["event"]} if listed else {}
            page = many(self.calls.get(path, limit=DELIVERIES, **below))
            listed += page
            if len(page) < DELIVERIES:
                return listed

    def deliver_again(self, webhook: str, event: int) -> Json:
        """Send an event to an address once more."""
        path = f"{self.path}/webhooks/{part(webhook)}/deliveries/{event}"
        return one(self.calls.post(path))

    def verify_audit(self) -> Json:
        """Whether the chain of its acts is whole."""
        return one(self.calls.get(f"{self.path}/audit/verify"))


@dataclass(frozen=True)
class Dataset:
    """A governed dataset."""

    calls: Calls
    project: Project
    id: str

    @property
    def path(self) -> str:
        """Its path."""
        return f"{self.project.path}/datasets/{part(self.id)}"

    def get(self) -> Json:
        """What it is, where it stands, and what the user `can` do with it."""
        return one(self.calls.get(self.path))

    def definition(self) -> Json:
        """Its `definition`, and its `columns` as people see them."""
        return one(self.calls.get(f"{self.path}/definition"))

    def publish_again(self) -> Json:
        """Have every row sent to its topic once more, as an owner."""
        return one(self.calls.post(f"{self.path}/publish_again"))

    def propose_definition(self, definition: Mapping[str, Any], title: str) -> Request:
        """A change request for the next version of a definition.

        Args:
            definition: The one in force, changed, its `version` one higher.
            title: What it does.
        """
        body = {"definition": dict(definition), "title": title}
        return self._request(self.calls.post(f"{self.path}/definition", body))

    def view(
        self,
        *,
        filters: Iterable[Mapping[str, Any]] = (),
        sort: Iterable[Mapping[str, Any]] = (),
        version: int | None = None,
        snapshot: str | None = None,
    ) -> Json:
        """A view of the rows: its `id`, `count` and `version`."""
        body = {
            "filters": [dict(criterion) for criterion in filters],
            "sort": [dict(order) for order in sort],
            "version": version,
            "snapshot": snapshot,
        }
        return one(self.calls.post(f"{self.path}/views", body))

    def rows(
        self, view: str, offset: int = 0, limit: int = 200, session: str | None = None
    ) -> Json:
        """Rows of a view, as columns, with the edits of a session laid over."""
        page = f"{self.path}/views/{view}/rows"
        return one(self.calls.get(page, offset=offset, limit=limit, session=session))

    def open_session(self) -> Session:
        """A new session."""
        opened = one(self.calls.post(f"{self.path}/live_sessions"))
        return Session(self.calls, self, opened["id"])

    def sessions(self) -> list[Json]:
        """Sessions of the user that have not ended, the newest first."""
        return many(self.calls.get(f"{self.path}/live_sessions"))

    def session(self, session_id: str) -> Session:
        """A session; nothing is asked yet."""
        return Session(self.calls, self, session_id)

    def upload(self, file_name: str, content: Content, mode: Mode = "upsert") -> Upload:
        """Send a file, whose name says its format; it becomes a change request by `load`.

        Args:
            file_name: Its name.
            content: Gives its bytes.
            mode: Rows change by key (`upsert`), are new (`append`), or are all that there are (`replace`).
        """
        sent = self.calls.send(f"{self.path}/uploads", content, file_name=file_name, mode=mode)
        return self.project.upload(sent["id"])

    def export(self, sink: IO[bytes], format_: Format = "csv", version: int | None = None) -> str:
        """Write the rows into a file, which knows its version: imported again, it merges cell by cell.

        Returns:
            The name that the file has, with dataset and version.
        """
        params = {"format": format_} | ({} if version is None else {"version": version})
        with self.calls.stream(f"{self.path}/export", params=params, timeout=LOAD_S) as response:
            for chunk in response.iter_bytes():
                sink.write(chunk)
            name = _FILE_NAME.search(response.headers.get("Content-Disposition", ""))
        return name[1] if name else f"{self.id}.{format_}"

    def history(self, **criteria: Any) -> Json:
        """`changes` of cells, the latest first, and their `total`."""
        return one(self.calls.get(f"{self.path}/history", **criteria))

    def blame(self, row_id: str) -> Json:
        """Who wrote each cell of a row."""
        return one(self.calls.get(f"{self.path}/blame", row_id=row_id))

    def diff(self, before: int, after: int, **page: Any) -> Json:
        """What turns one version into another: `cells`, `total`."""
        return one(self.calls.get(f"{self.path}/diff", before=before, after=after, **page))

    def restore(self, version: int | str, title: str = "") -> Request:
        """A change request that makes the rows of a version, or named snapshot, those of today."""
        return self._request(
            self.calls.post(f"{self.path}/restore", {"version": version, "title": title})
        )

    def restore_at_once(self, version: int | str, reason: str) -> Request:
        """Restore without a review, as an owner whom the policy lets."""
        body = {"version": version, "reason": reason}
        return self._request(self.calls.post(f"{self.path}/restore_at_once", body))

    def outside(self) -> list[Json]:
        """Commits of others past the service, the latest first."""
        return many(self.calls.get(f"{self.path}/outside"))

    def propose_outside(self, title: str = "", *, take_back: bool = False) -> Request:
        """A change request that takes up what others did, or takes it back."""
        body = {"title": title, "take_back": take_back}
        return self._request(self.calls.post(f"{self.path}/outside", body))

    def snapshots(self) -> list[Json]:
        """Named snapshots."""
        return many(self.calls.get(f"{self.path}/snapshots"))

    def keep_snapshot(self, name: str, reason: str = "") -> Json:
        """Keep the rows as they are under a name."""
        return one(self.calls.post(f"{self.path}/snapshots", {"name": name, "reason": reason}))

    def _request(self, made: Json) -> Request:
        return Request(self.calls, self.project, made["number"])

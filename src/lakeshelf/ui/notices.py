"""What somebody is told, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SENTENCES: Mapping[str, str] = {
    "cr.submitted": "Change request {request} of {dataset} was submitted and waits for a review",
    "cr.approved": "Change request {request} of {dataset} is approved and can be merged",
    "cr.reviewed": "Change request {request} of {dataset} has an approval more; others are needed",
    "cr.rejected": "Change request {request} of {dataset} was rejected; its authors may change it",
    "cr.cells_rejected": "Some cells of change request {request} of {dataset} were rejected",
    "cr.resolved": "Conflicts of change request {request} of {dataset} were settled; it is approved anew",
    "cr.merged": "Change request {request} of {dataset} is merged",
    "cr.not_merged": "Change request {request} of {dataset} could not be merged",
    "cr.marked": "Change request {request} of {dataset} is {state} with what was merged since",
    "cr.commented": "Somebody commented on change request {request} of {dataset}",
    "cr.comment_settled": "A remark on change request {request} of {dataset} is settled",
    "cr.comment_reopened": "A remark on change request {request} of {dataset} is open again",
    "cr.review_asked": "You are asked to review change request {request} of {dataset}",
    "cr.definition_changed": "The definition of {dataset} changed: change request {request} is approved anew",
    "cr.expired": "Change request {request} of {dataset} ended after 30 days of silence",
    "session.expired": "Your edits of {dataset} were thrown away after a day without a change",
    "member.set": "Your role in {project} is now {role}",
    "token.issued": "A token of yours was made",
    "webhook.given_up": "A webhook of {project} did not take an event, which was given up",
}
"""Kind of an event → what is said of it, with what is known of the event."""
STANDS: Mapping[str, str] = {
    "clean": "in no conflict",
    "behind": "behind, and in no conflict",
    "conflicting": "in conflict",
}


def sentence(event: Mapping[str, Any]) -> str:
    """What an event says; of a kind without a sentence its name.

    Args:
        event: As the API tells it.
    """
    body, kind = event["body"], str(event["kind"])
    known = {
        **event,
        "state": STANDS.get(str(body.get("state")), "compared"),
        "role": body.get("role", "another"),
    }
    said = SENTENCES.get(kind)
    return said.format_map(known) if said else kind.replace(".", ": ").replace("_", " ")


def place(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Where an event is looked at: segments of an address; none: there is no such page."""
    if event["request"] is not None:
        return "reviews", event["project"], str(event["request"])
    if event["dataset"]:
        return "data", event["project"], event["dataset"]
    return ("admin",) if event["kind"].startswith("webhook.") else ()

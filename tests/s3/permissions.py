"""What a request asks of S3's permissions, and those that the page on buckets names.

The server of the tests refuses what the page does not allow, so every test in a bucket proves that they are enough.
Which request needs which permission: Amazon S3 API reference, "Required permissions for Amazon S3 API operations".
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs

from lakeshelf.settings import project_home

PAGE = "docs/object-stores.md"
OF_A_BUCKET = {
    "GET": "ListBucket",
    "HEAD": "ListBucket",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
}
OF_AN_OBJECT = {
    "GET": "GetObject",
    "HEAD": "GetObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
}
BY_PARAMETER = {
    ("GET", "location"): "GetBucketLocation",
    ("GET", "versions"): "ListBucketVersions",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "uploads"): "PutObject",
    ("POST", "uploadId"): "PutObject",
    ("POST", "delete"): "DeleteObject",
}


def needed(method: str, path: str, query: str) -> str:
    """The permission that a request needs; of one that nobody listed, a name that no page allows."""
    parameters = parse_qs(query, keep_blank_values=True)
    for (verb, parameter), name in BY_PARAMETER.items():
        if verb == method and parameter in parameters:
            return f"s3:{name}"
    plain = OF_AN_OBJECT if "/" in path.strip("/") else OF_A_BUCKET
    return f"s3:{plain.get(method, f'unknown {method} {sorted(parameters)}')}"


def allowed() -> frozenset[str]:
    """The permissions of the policy on the page."""
    page = (project_home() / PAGE).read_text(encoding="utf-8")
    block = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert block, f"{PAGE} shows no policy"
    policy: dict[str, Any] = json.loads(block[1])
    return frozenset(action for one in policy["Statement"] for action in one["Action"])

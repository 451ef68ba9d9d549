"""What object stores answer, in one line: cause, bucket, endpoint and status, and nothing of a request that is secret.

An answer of S3 may quote tokens and signed text, so that only its code is taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_FROM_STORE = re.compile(r"Generic S3 error|AWS Error|AmazonS3\(|Error performing [A-Z]+ https?://")
_REQUEST = re.compile(r"Error performing [A-Z]+ (https?://\S+)")
_BUCKET = re.compile(r"<BucketName>([\w.-]+)</BucketName>|in bucket '([\w.-]+)'")
_CODE = re.compile(r"<Code>(\w+)</Code>|AWS Error (\w+)")
_STATUS = re.compile(r"\b([1-5]\d\d) [A-Z][A-Za-z]+|HTTP status (\d{3})|Status Code:? (\d{3})")

_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"https?://169\.254\.1(?:69|70)\.",
        "no credentials were found",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    ),
    (
        r"NoSuchBucket|NO_SUCH_BUCKET",
        "there is no such bucket",
        "create it, or correct the address",
    ),
    (
        r"ExpiredToken|EXPIRED_TOKEN|RequestExpired|REQUEST_EXPIRED|TokenRefreshRequired",
        "the credentials have expired",
        "get new ones; AWS_SESSION_TOKEN belongs to its keys",
    ),
    (
        r"InvalidAccessKeyId|INVALID_ACCESS_KEY_ID|SignatureDoesNotMatch|SIGNATURE_DOES_NOT_MATCH"
        r"|InvalidToken|INVALID_TOKEN|InvalidClientTokenId|INVALID_CLIENT_TOKEN_ID|AuthFailure",
        "the credentials are wrong",
        "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile",
    ),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|301 Moved",
        "the bucket is in another region",
        "correct AWS_REGION",
    ),
    (
        r"AccessDenied|ACCESS_DENIED|40[13] [A-Z]|(?:status|Code:?) 40[13]",
        "access is denied",
        "these credentials need ListBucket, GetObject, PutObject, DeleteObject and AbortMultipartUpload",
    ),
    (
        r"conditional put is disabled|501 Not Implemented",
        "the store does not put on condition, without which commits could be lost",
        "use a store that does, and leave conditional_put as it is",
    ),
    (
        r"SlowDown|SLOW_DOWN|503 S",
        "the store is too busy",
        "repeat it later; nothing was committed",
    ),
    (
        r"tcp connect|dns error|error sending request|timed out|curlCode|NETWORK_CONNECTION",
        "the endpoint does not answer",
        "check AWS_ENDPOINT_URL and the network",
    ),
)
"""Pattern of a message → its cause, and the hint. The first that matches counts."""


def cause_and_hint(text: str) -> tuple[str, str] | None:
    """Cause and hint for a message of an object store; None: it is no refusal of a store."""
    if not _FROM_STORE.search(text):
        return None
    for pattern, cause, hint in _CAUSES:
        if re.search(pattern, text):
            where = ", ".join(_where(text))
            return f"{cause} ({where})" if where else cause, hint
    return None


def _where(text: str) -> Iterable[str]:
    """Bucket, endpoint, status and code, as far as they are known."""
    if bucket := _first_group(_BUCKET, text):
        yield f"bucket {bucket}"
    if request := _REQUEST.search(text):
        parts = urlsplit(request[1])
        yield f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    known = (_first_group(_STATUS, text), _first_group(_CODE, text))
    if status := " ".join(filter(None, known)):
        yield status


def _first_group(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return next(filter(None, match.groups()), "") if match else ""

"""Addresses such as `s3://bucket/prefix`, beside folders, and what of them, and of other texts, may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

MASK = "***"
SECRET = re.compile(r"secret|token|password|access_key|account_key|sas|credential", re.IGNORECASE)
"""What a name contains whose value is never shown."""
_UNUSABLE = re.compile(r"[*?\[\]|^\\%\x00-\x1f\x7f\ud800-\udfff]")
_QUOTED = re.compile(r"<((?:Token|AWSAccessKeyId|StringToSign)[\w-]*)>[^<]*")
"""What answers of S3 quote of a request."""
_SHORTEST = 6
_PLACE = "_FILE"
"""How a variable ends that says where a secret is: that has to be shown, or nobody could correct it."""


def is_address(place: object) -> bool:
    """Whether a place is an address of an object store; all else is a folder."""
    return "://" in str(place)


def is_confidential(place: str) -> bool:
    """Whether nobody on the way reads what is sent to an address: by https, or on this machine."""
    parts = urlsplit(place)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is of this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def unusable(folder: str) -> str:
    """What of a folder's path keeps a lake from being there; empty when nothing does.

    The engines take such parts as patterns or escapes, and would read or write elsewhere.
    """
    match = _UNUSABLE.search(folder)
    return ascii(match[0]) if match else ""


def without_credentials(place: str) -> str:
    """A place whose user and password are masked."""
    parts = urlsplit(place)
    if "@" not in parts.netloc:
        return place
    return urlunsplit(parts._replace(netloc=f"{MASK}@{parts.netloc.rpartition('@')[2]}"))


def without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """A text in which no value of a variable stands that is a secret, nor what S3 quotes of a request."""
    for name, value in environment.items():
        is_secret = SECRET.search(name) and not name.upper().endswith(_PLACE)
        if is_secret and len(value) >= _SHORTEST:
            text = text.replace(value, MASK)
    return _QUOTED.sub(rf"<\1>{MASK}", text)

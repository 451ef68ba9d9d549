"""Files that settings name: secrets and certificates, refused in one line where they cannot be used."""

from __future__ import annotations

import os
import re
import shlex
import stat
from pathlib import Path

from lakeshelf.errors import ConfigurationError

MOUNTED = Path("/run/secrets")
"""Where container runtimes put secrets: everybody may read them there, and nobody else is in a container."""
LARGEST = 1024 * 1024
"""Bytes of a file; the certificates of all public CAs are a quarter of that."""
KEY, CERTIFICATE = "PRIVATE KEY", "CERTIFICATE"
"""What PEM calls a key that Java reads, too, and a certificate."""


def secret(path: Path, setting: str) -> str:
    """The secret in a file, without the one line break that editors and `echo` put at its end.

    Args:
        path: The file.
        setting: The setting that names it.

    Raises:
        ConfigurationError: It is missing, empty, too large, no text or no plain file, or everybody may read it.
    """
    content = _private(path, setting)
    ending = next((end for end in ("\r\n", "\n") if content.endswith(end)), "")
    if not (value := content.removesuffix(ending)):
        raise _refused(path, setting, "is empty", "write the secret into it")
    return value


def key(path: Path, setting: str) -> str:
    """The private key in a PEM file, in the one form that every client can read.

    Raises:
        ConfigurationError: It cannot be read, everybody may read it, or it holds no such key.
    """
    content = _private(path, setting)
    if not (block := _blocks(content, KEY)):
        way = f"run `openssl pkcs8 -topk8 -nocrypt -in {shlex.quote(str(path))} -out KEY.pem` and name that file"
        raise _refused(path, setting, "holds no unencrypted PKCS#8 key", way)
    return block


def certificates(path: Path, setting: str) -> str:
    """The certificates in a PEM file, without a key that may stand beside them.

    Raises:
        ConfigurationError: It cannot be read or holds none.
    """
    if not (blocks := _blocks(_text(path, setting), CERTIFICATE)):
        raise _refused(path, setting, "holds no certificate", "name a PEM file")
    return blocks


def _blocks(content: str, kind: str) -> str:
    """The parts of a PEM file that are of a kind."""
    return "\n".join(
        re.findall(f"-----BEGIN {kind}-----.*?-----END {kind}-----", content, re.DOTALL)
    )


def _private(path: Path, setting: str) -> str:
    content, mode = _read(path, setting)
    if mode & stat.S_IRWXO and not path.is_relative_to(MOUNTED) and _is_reached_by_all(path):
        way = f"run `{shlex.join(['chmod', 'o=', str(path)])}`"
        raise _refused(path, setting, "can be read by everybody", way)
    return content


def _is_reached_by_all(path: Path) -> bool:
    """Whether everybody may enter every folder above a file, wherever links lead."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)


def _text(path: Path, setting: str) -> str:
    return _read(path, setting)[0]


def _read(path: Path, setting: str) -> tuple[str, int]:
    """Text and mode of a file; the mark that editors put before UTF-8 is no part of the text."""
    shown = f"correct it; `{shlex.join(['ls', '-l', str(path)])}` shows it"
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):  # it is read again and again, as a pipe cannot be
                raise _refused(path, setting, "is a pipe or a device", "write it into a plain file")
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise _refused(path, setting, f"cannot be read: {error.strerror}", shown) from error
    if len(content) > LARGEST:
        raise _refused(path, setting, f"is larger than {LARGEST} bytes", shown)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(path, setting, "is no UTF-8 text", "write it anew") from error
    if not text:
        raise _refused(path, setting, "is empty", "write it anew")
    if "\0" in text:
        raise _refused(path, setting, "is no text: it holds a NUL", "write it anew")
    return text, mode


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; of a pipe, nobody has to be at the other end."""
    return os.open(path, flags | os.O_NONBLOCK)


def _refused(path: Path, setting: str, problem: str, way: str) -> ConfigurationError:
    return ConfigurationError(f"setting {setting} = {path}: the file {problem}", hint=way)

"""Files that settings name: secrets and certificates, refused in one line where they cannot be used."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from lakeshelf.errors import ConfigurationError

MOUNTED = Path("/run/secrets")
"""Where container runtimes put secrets: everybody may read them there, and nobody else is in a container."""
KEY, CERTIFICATE = "PRIVATE KEY", "CERTIFICATE"
"""What PEM calls a key that Java reads, too, and a certificate."""


def secret(path: Path, setting: str) -> str:
    """The secret in a file, without the one line break that editors and `echo` put at its end.

    Args:
        path: The file.
        setting: The setting that names it.

    Raises:
        ConfigurationError: It is missing, empty or no text, or everybody may read it.
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
        way = f"run `openssl pkcs8 -topk8 -nocrypt -in {path} -out KEY.pem` and name that file"
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
    content = _text(path, setting)
    if path.stat().st_mode & stat.S_IRWXO and not path.is_relative_to(MOUNTED):
        raise _refused(path, setting, "can be read by everybody", f"run `chmod o= {path}`")
    return content


def _text(path: Path, setting: str) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            content = file.read()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise _refused(path, setting, problem, f"correct it; `ls -l {path}` shows it") from error
    except UnicodeDecodeError as error:
        raise _refused(path, setting, "is no UTF-8 text", "write it anew") from error
    if not content:
        raise _refused(path, setting, "is empty", "write it anew")
    return content


def _refused(path: Path, setting: str, problem: str, way: str) -> ConfigurationError:
    return ConfigurationError(f"setting {setting} = {path}: the file {problem}", hint=way)

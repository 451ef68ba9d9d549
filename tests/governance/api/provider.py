"""A small OpenID provider: code flow with PKCE, a secret, signed tokens; it says what a test has it say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "lakeshelf", "s3cr:et/ü"


@dataclass
class Provider:
    """The provider.

    Attributes:
        issuer: Its address.
        now: The time of its tokens.
        subject: Who signs in there next.
        claims: What its next tokens say in place of the truth; None: they leave it out.
        forged: Whether its tokens are signed by a key that it does not publish.
        methods: How clients may prove who they are.
        configuration: What it says of itself in place of the truth.
        exchanged: Codes that were exchanged.
    """

    issuer: str = ""
    now: datetime | None = None
    subject: str = "subject-of-vic"
    claims: dict[str, Any] = field(default_factory=dict)
    forged: str = ""
    methods: list[str] | None = None
    configuration: dict[str, Any] = field(default_factory=dict)
    exchanged: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _key: RSAKey = field(default_factory=lambda: _key("one"))

    def turn_key(self) -> None:
        """Sign by another key from now on."""
        self._key = _key("two")

    def discovered(self) -> dict[str, Any]:
        """What it says of itself."""
        known: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        if self.methods is not None:
            known["token_endpoint_auth_methods_supported"] = self.methods
        return known | self.configuration

    def keys(self) -> dict[str, Any]:
        """Its public keys."""
        return {"keys": [self._key.as_dict(private=False)]}

    def authorized(self, asked: Mapping[str, str]) -> str:
        """Where somebody is sent who has signed in here."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert asked["scope"].split()[0] == "openid"
        code = secrets.token_hex(8)
        self._codes[code] = {**asked, "subject": self.subject}
        answer = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return f"{asked['redirect_uri']}?{answer}"

    def token(self, form: Mapping[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The answer to a code."""
        if not self._is_client(form, authorization):
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form["code_verifier"].encode()).digest()
        )
        if (
            asked is None
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge.rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        self.exchanged.append(form["code"])
        return 200, {"id_token": self._signed(asked), "access_token": "x", "token_type": "Bearer"}

    def _is_client(self, form: Mapping[str, str], authorization: str) -> bool:
        if self.methods in (None, ["client_secret_basic"]):
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            name, _, secret = pair.partition(":")
            return (unquote(name), unquote(secret)) == (CLIENT, SECRET)
        return (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)

    def _signed(self, asked: Mapping[str, str]) -> str:
        assert self.now is not None
        now = int(self.now.timestamp())
        truth = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": asked["subject"],
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
        }
        said = {name: value for name, value in (truth | self.claims).items() if value is not None}
        if self.forged == "none":
            parts = ({"alg": "none"}, said)
            return ".".join(_encoded(json.dumps(part).encode()) for part in parts) + "."
        if self.forged == "secret":  # the public key taken for a secret
            head = {"alg": "HS256", "kid": self._key.kid}
            signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, said))
            made = hmac.digest(self._key.as_pem(private=False), signed.encode(), "sha256")
            return f"{signed}.{_encoded(made)}"
        key = _key("one") if self.forged == "key" else self._key
        return jwt.encode({"alg": "RS256", "kid": self._key.kid}, said, key)


@contextmanager
def running(now: datetime) -> Iterator[Provider]:
    """A provider that listens on this machine."""
    provider = Provider(now=now)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorized(asked))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            known = {
                "/.well-known/openid-configuration": provider.discovered,
                "/keys": provider.keys,
            }
            answer = known.get(parts.path)
            self._say(*((200, answer()) if answer else (404, {})))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._say(*provider.token(form, self.headers.get("Authorization", "")))

        def _say(self, status: int, answer: object) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()

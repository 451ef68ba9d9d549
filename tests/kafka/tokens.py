"""An OpenID provider as far as Kafka's clients need one: tokens for who knows a client's secret."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "fay", "client-secret"
LASTS_S = 300


class Provider:
    """Who signs tokens.

    Args:
        folder: Takes the file of its public keys.
    """

    def __init__(self, folder: Path) -> None:
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.keys = folder / "keys.json"
        self.keys.write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))

    def token(self, name: str) -> str:
        """A token of somebody."""
        now = int(time.time())
        claims = {"sub": name, "scope": "kafka", "iat": now, "exp": now + LASTS_S}
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self._key)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Where tokens are given out."""
        provider, expected = self, base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                known = self.headers.get("authorization") == f"Basic {expected}"
                token = {"access_token": provider.token(CLIENT), "expires_in": LASTS_S}
                content = json.dumps(token if known else {"error": "invalid_client"}).encode()
                self.send_response(200 if known else 401)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/token"
        finally:
            server.shutdown()
            server.server_close()

"""Sign-in by an OpenID provider: authorization code with PKCE, and the token that says who came.

docs/design/governance.md#browsers
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import ClaimError, JoseError
from joserfc.jwk import KeySet

from lakeshelf import secret_files
from lakeshelf.addresses import is_confidential
from lakeshelf.errors import ConfigurationError, first_line
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.services.people.identities import Provider
from lakeshelf.governance.services.people.signing import random_text
from lakeshelf.logs import log

DISCOVERY = "/.well-known/openid-configuration"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures that are taken: by keys of the provider alone, never by a secret that both have."""
KNOWN_S = 3_600.0
"""How long it is remembered what a provider says of itself."""
ANSWER_S = 10.0
LARGEST = 1024 * 1024
"""Bytes of an answer of a provider."""
SECRET_SETTING = "oidc_client_secret_file"  # noqa: S105 - its name
LEEWAY_S = 60
"""How far the clocks of this machine and of the provider may be apart."""


@dataclass(frozen=True)
class Attempt:
    """A sign-in that has begun; the browser keeps it until it comes back.

    Attributes:
        state: What the provider gives back with the answer.
        nonce: What the token holds.
        verifier: What shows that who brings the answer has begun.
        back: Path of ours to which the browser goes then; empty: none.
    """

    state: str
    nonce: str
    verifier: str
    back: str

    @property
    def text(self) -> str:
        """What the browser keeps."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def of(cls, text: str | None) -> Attempt | None:
        """The attempt that a browser shows; None: it is none."""
        try:
            values = json.loads(base64.urlsafe_b64decode(text or ""))
            texts = {name: str(values[name]) for name in cls.__dataclass_fields__}
        except (ValueError, KeyError, TypeError):
            return None
        return cls(**texts)


class OpenId:
    """Sign-in by a provider.

    Args:
        provider: The provider.
        clock: Gives the present time.
        seconds: Monotonic clock.
        transport: What carries the calls; None: the network.
    """

    def __init__(
        self,
        provider: Provider,
        clock: Callable[[], datetime],
        *,
        seconds: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.provider = provider
        self._clock, self._seconds = clock, seconds
        self._http = httpx.Client(timeout=ANSWER_S, transport=transport, follow_redirects=False)
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    def begin(
        self, redirect: str, back: str, make: Callable[[], str] = random_text
    ) -> tuple[str, Attempt]:
        """Where a browser is sent to sign in, and what it keeps meanwhile.

        Args:
            redirect: Address of ours at which the answer comes.
            back: Path of ours to which the browser goes then.
            make: Makes random texts.

        Raises:
            GovernanceError: `service_unavailable`: the provider does not answer as one.
        """
        attempt = Attempt(make(), make(), make(), back)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest())
        place = self._endpoint("authorization_endpoint")
        asked = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": redirect,
            "scope": "openid",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(asked)}", attempt

    def subject(self, attempt: Attempt | None, answer: Mapping[str, str], redirect: str) -> str:
        """Whom the provider says that it saw.

        Args:
            attempt: What the browser kept.
            answer: `code` and `state`, or `error`, and `iss` if the provider says it.
            redirect: As for `begin`.

        Raises:
            GovernanceError: `unauthenticated`: it was not begun by this browser, or the provider or its token says
                something else; `service_unavailable`.
        """
        if attempt is None or not _same(attempt.state, answer.get("state", "")):
            raise _stranger("this sign-in was not begun by this browser, or took too long")
        if answer.get("iss", self.provider.issuer) != self.provider.issuer:
            raise _stranger("the answer is of another provider")
        if "error" in answer or not answer.get("code"):
            problem = answer.get("error") or "no code"
            raise _stranger(f"the provider did not sign you in: {problem[:80]!r}")
        token = self._exchanged(answer["code"], attempt.verifier, redirect)
        claims = self._claims(token)
        self._require(claims, attempt.nonce)
        return str(claims["sub"])

    def close(self) -> None:
        """End all connections."""
        self._http.close()

    def _exchanged(self, code: str, verifier: str, redirect: str) -> str:
        """The ID token for a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
            "client_id": self.provider.client_id,
        }
        headers, secret = {}, self._secret()
        if secret is not None:
            known = self._configuration().get("token_endpoint_auth_methods_supported")
            if known is None or "client_secret_basic" in known:
                pair = f"{quote(form.pop('client_id'), safe='')}:{quote(secret, safe='')}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            else:
                form["client_secret"] = secret
        place = self._endpoint("token_endpoint")
        status, body = self._asked("POST", place, data=form, headers=headers)
        if 400 <= status < 500:
            raise _stranger(f"the provider refused the code: {str(body.get('error'))[:80]!r}")
        if status != 200 or not isinstance(body.get("id_token"), str):
            raise self._broken(f"{place} answered {status} without a token")
        return str(body["id_token"])

    def _secret(self) -> str | None:
        file = self.provider.secret_file
        if file is None:
            return None
        try:
            return secret_files.secret(file, SECRET_SETTING)
        except ConfigurationError as error:
            log.warning("secret of the OpenID provider cannot be used", reason=str(error))
            raise refused(
                "service_unavailable",
                "the secret for the OpenID provider cannot be used",
                hint=f"see the setting `{SECRET_SETTING}`; `lakeshelf logs api` has the reason",
            ) from error

    def _claims(self, token: str) -> dict[str, Any]:
        """What a token says, which a key of the provider has signed; its keys are asked for again once."""
        for fresh in (False, True):
            keys = self._read("jwks_uri", self._endpoint("jwks_uri"), fresh=fresh)
            try:
                known = KeySet.import_key_set({"keys": keys["keys"]})
                return dict(jwt.decode(token, known, ALGORITHMS).claims)
            except (JoseError, ValueError, KeyError, TypeError) as error:
                problem = first_line(error)
        raise _stranger(f"the token of the provider cannot be trusted: {problem}")

    def _require(self, claims: dict[str, Any], nonce: str) -> None:
        ours, now = self.provider.client_id, int(self._clock().timestamp())
        expected = jwt.JWTClaimsRegistry(
            now,
            LEEWAY_S,
            iss={"essential": True, "value": self.provider.issuer},
            aud={"essential": True, "value": ours},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            expected.validate(claims)
        except ClaimError as error:
            raise _stranger(f"the token of the provider is not for us: {error.claim}") from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else ours) != ours:
            raise _stranger("the token of the provider is not for us: azp")

    def _configuration(self) -> dict[str, Any]:
        issuer = self.provider.issuer
        said = self._read("configuration", issuer.rstrip("/") + DISCOVERY)
        if said.get("issuer") != issuer:
            raise self._broken(f"it calls itself {str(said.get('issuer'))[:200]!r}")
        return said

    def _endpoint(self, name: str) -> str:
        place = self._configuration().get(name)
        if not isinstance(place, str) or not is_confidential(place):
            raise self._broken(f"its {name} is {str(place)[:200]!r}")
        return place

    def _read(self, name: str, place: str, *, fresh: bool = False) -> dict[str, Any]:
        """What stands at a place, as it was known lately."""
        at, said = self._known.get(name, (0.0, {}))
        if not said or fresh or self._seconds() - at > KNOWN_S:
            status, said = self._asked("GET", place)
            if status != 200:
                raise self._broken(f"{place} answered {status}")
            self._known[name] = (self._seconds(), said)
        return said

    def _asked(self, method: str, place: str, **content: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON object that a provider answers."""
        body = bytearray()
        try:
            with self._http.stream(method, place, **content) as answer:
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > LARGEST:
                        raise self._broken(f"{place} answers with more than {LARGEST:,} bytes")
            said = json.loads(bytes(body))
        except httpx.HTTPError as error:
            raise self._broken(f"{place}: {first_line(error)}") from error
        except ValueError:
            raise self._broken(f"{place} answered no JSON") from None
        if not isinstance(said, dict):
            raise self._broken(f"{place} answered no object")
        return answer.status_code, said

    def _broken(self, problem: str) -> GovernanceError:
        return refused(
            "service_unavailable",
            f"the OpenID provider {self.provider.issuer} does not answer as one: {problem}",
            hint="sign in by a token or a link, and have the setting `oidc_issuer` looked at",
        )


def _same(known: str, claimed: str) -> bool:
    return hmac.compare_digest(known.encode(), claimed.encode())


def _stranger(problem: str) -> GovernanceError:
    return refused("unauthenticated", problem, hint="sign in again at /api/v1/openid/sign_in")

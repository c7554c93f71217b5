"""OAuth 1.0a as used by OS-OAUTH1: a consumer acts for a user, with some of the user's roles on one project.

oauthlib checks requests; this module implements its queries about consumers and tokens. A consumer requests a request
token, the user authorizes it, and the consumer exchanges it for an access token, with which it authenticates. Source:
RFC 5849.
"""

import secrets
import string
import time
import typing

import sqlalchemy as sa
from oauthlib import oauth1

from common import context, errors, rows
from common.values import same_secret
from identity.db import models
from identity.tokens import stamp

CONSUMERS, TOKENS, NONCES = models.consumers, models.oauth_tokens, models.oauth_nonces
VERIFIER_CHARS = string.ascii_letters + string.digits
_LIFETIME_S = 600


def alive(row: dict) -> bool:
    return row["expires_at"] is None or row["expires_at"] > time.time()


def _unreadable(error: ValueError) -> errors.BadRequest:
    """Convert a ValueError of oauthlib: a header or body that it cannot parse."""
    return errors.BadRequest("Invalid OAuth request: it cannot be parsed.", internal=str(error))


class Signed(typing.NamedTuple):
    """A signed HTTP request."""

    url: str
    method: str
    body: str
    headers: dict[str, str]


class Keys(oauth1.RequestValidator):
    """:param service: the identity service"""

    allowed_signature_methods = (oauth1.SIGNATURE_HMAC_SHA1, oauth1.SIGNATURE_HMAC_SHA256, oauth1.SIGNATURE_HMAC_SHA512)
    client_key_length = request_token_length = access_token_length = (32, 32)
    nonce_length, verifier_length, timestamp_lifetime = (8, 64), (8, 8), _LIFETIME_S
    enforce_ssl = False  # a proxy in front of the service may terminate TLS
    dummy_client = dummy_request_token = dummy_access_token = "0" * 32

    def __init__(self, service):
        self.service = service

    # Queries of oauthlib --------------------------------------------------

    def _row(self, table, id: str) -> dict | None:
        with self.service.db.reader() as connection:
            return rows.one(connection, sa.select(table).where(table.c.id == id))

    def _token(self, kind: str, client_key: str, id: str) -> dict | None:
        row = self._row(TOKENS, id)
        return row if row and row["kind"] == kind and row["consumer_id"] == client_key and alive(row) else None

    def _secret(self, row: dict | None) -> str:
        return self.service.vault.open(row["sealed_secret"]) if row else secrets.token_hex(16)

    def validate_client_key(self, client_key, request):
        return self._row(CONSUMERS, client_key) is not None

    def get_client_secret(self, client_key, request):
        return self._secret(self._row(CONSUMERS, client_key))

    def validate_request_token(self, client_key, token, request):
        return self._token("request", client_key, token) is not None

    def get_request_token_secret(self, client_key, token, request):
        return self._secret(self._token("request", client_key, token))

    def validate_access_token(self, client_key, token, request):
        return self._token("access", client_key, token) is not None

    def get_access_token_secret(self, client_key, token, request):
        return self._secret(self._token("access", client_key, token))

    def validate_verifier(self, client_key, token, verifier, request):
        row = self._token("request", client_key, token)
        return bool(row and row["verifier"] and same_secret(row["verifier"], verifier))

    def validate_timestamp_and_nonce(self, *args, **kwargs):
        return True  # oauthlib has checked the timestamp; see _once for the nonce

    def validate_redirect_uri(self, client_key, redirect_uri, request):
        return True  # redirects are not used

    def validate_requested_realms(self, client_key, realms, request):
        return True

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return True

    def get_default_realms(self, client_key, request):
        return []

    def get_realms(self, token, request):
        return []

    def save_request_token(self, token, request):
        with self.service.db.writer() as connection:
            self._once(connection, request)
            rows.get(connection, models.projects, request.headers["Requested-Project-Id"], resource="project")
            self._insert(connection, "request", token, consumer_id=request.client_key, roles=[],
                         project_id=request.headers["Requested-Project-Id"])

    def save_access_token(self, token, request):
        """The request token is deleted in the same transaction: of two concurrent exchanges, one fails."""
        with self.service.db.writer() as connection:
            self._once(connection, request)
            was = rows.one(connection, sa.select(TOKENS).where(TOKENS.c.id == request.resource_owner_key))
            gone = connection.execute(sa.delete(TOKENS).where(TOKENS.c.id == request.resource_owner_key)).rowcount
            if was is None or not gone:
                raise errors.Unauthorized()
            self._insert(connection, "access", token, **{k: was[k] for k in ("consumer_id", "project_id", "user_id", "roles")})

    def invalidate_request_token(self, client_key, request_token, request):
        pass  # done by save_access_token

    # Called by handlers ---------------------------------------------------

    def _once(self, connection, request) -> None:
        """Refuse replayed requests. Called after the signature was verified, so that only consumers can fill the
        table.

        :raises Unauthorized: it was used before
        """
        now = time.time()
        connection.execute(sa.delete(NONCES).where(NONCES.c.expires_at < now))
        try:
            rows.insert(connection, NONCES, {"consumer_id": request.client_key, "at": request.timestamp, "nonce": request.nonce,
                                             "expires_at": now + 2 * _LIFETIME_S}, conflict="It was used before.")
        except errors.Conflict:
            raise errors.Unauthorized() from None

    def _ends_at(self, kind: str) -> float | None:
        lifetime = self.service.conf.oauth1[f"{kind}_token_duration"]
        return time.time() + lifetime if lifetime else None

    def _insert(self, connection, kind: str, token: dict, **columns) -> None:
        rows.insert(connection, TOKENS, {
            "id": token["oauth_token"], "kind": kind, "sealed_secret": self.service.vault.seal(token["oauth_token_secret"]),
            "user_id": None, "verifier": None, "expires_at": self._ends_at(kind), **columns})

    def respond(self, endpoint, signed: Signed, kind: str) -> str:
        """The response to a consumer that requests a token, form-encoded.

        :param endpoint: oauthlib's class for this kind of request
        :raises BadRequest: something is missing
        :raises Unauthorized: a wrong key, secret, verifier, time or nonce
        """
        ends = self._ends_at(kind)
        shown = {"oauth_expires_at": stamp(ends)} if ends else {}
        made = endpoint(self, token_generator=context.new_hex)
        answer = getattr(made, f"create_{kind}_token_response")
        try:
            _, text, status = answer(*signed, shown)
        except ValueError as error:
            raise _unreadable(error) from error
        if status == 401:
            raise errors.Unauthorized()
        if status >= 400:
            raise errors.BadRequest(f"Invalid OAuth request: {text}")
        return text

    def access_token(self, signed: Signed) -> dict:
        """The access token that signed a login. :raises Unauthorized: none is valid"""
        try:
            valid, request = oauth1.ResourceEndpoint(self).validate_protected_resource_request(
                signed.url, signed.method, "", signed.headers)
        except ValueError as error:
            raise _unreadable(error) from error
        row = self._token("access", request.client_key, request.resource_owner_key) if valid else None
        if row is None:
            raise errors.Unauthorized()
        self.service.db.transact(self._once, request)
        return row

"""Receipts: the methods that a user has completed, if the user's rules require more than one method.

A login with some of them is refused with a receipt, which the next login includes (``Openstack-Auth-Receipt``). It is
signed like a token, but marked as a receipt, so that it is not accepted as a token. It can be used for one login.
"""

import dataclasses
import secrets
import time

import jwt

from common import errors, tokens
from common.context import Context
from identity.tokens import stamp

KIND = "receipt"


@dataclasses.dataclass(frozen=True)
class Receipt:
    user_id: str
    id: str
    methods: tuple
    issued_at: float
    expires_at: float


class Incomplete(errors.Unauthorized):
    """More methods are required. The response contains the receipt and the rules."""

    def __init__(self, receipt: str, described: dict):
        super().__init__("Additional authentications steps required.")
        self.receipt, self.described = receipt, described


def missing(options: dict, methods: set[str]) -> list[list[str]]:
    """The rules of a user that these methods do not satisfy; empty if one is satisfied, or there are none.

    Rules without any existing method are ignored, because they could never be satisfied.
    """
    if not options.get("multi_factor_auth_enabled"):
        return []
    known = {"password", "token", "totp", "application_credential", "oauth1", "ec2credential", "mapped", "external"}
    rules = [r for r in options.get("multi_factor_auth_rules") or [] if r and set(r) <= known]
    return [] if any(set(r) <= methods for r in rules) else rules


def issue(service, user: dict, methods: set[str], rules: list[list[str]]) -> Incomplete:
    now = time.time()
    ends = now + service.conf.identity.receipt_expiration
    key_id, key = service.keys.signing()
    signed = jwt.encode({"jti": secrets.token_urlsafe(16), "sub": user["id"], "iat": now, "exp": ends, "aud": KIND,
                         "methods": sorted(methods)}, key, algorithm=tokens.ALGORITHM, headers={"kid": key_id})
    return Incomplete(signed, {
        "receipt": {"methods": sorted(methods), "issued_at": stamp(now), "expires_at": stamp(ends), "user": {
            "id": user["id"], "name": user["name"], "domain": {"id": user["domain_id"], "name": user["domain_name"]}}},
        "required_auth_methods": rules})


def check(service, text: str) -> Receipt:
    """:raises Unauthorized: invalid, expired, or its user's tokens have been revoked since"""
    try:
        key = service.verifier.keys[jwt.get_unverified_header(text)["kid"]]
        said = jwt.decode(text, key, algorithms=[tokens.ALGORITHM], audience=KIND, options={
            "require": ["exp", "iat", "sub", "jti"], "verify_iat": False})
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise errors.Unauthorized() from None
    if service.verifier.revocations.revoked(Context(user_id=said["sub"], audit_ids=(KIND,), issued_at=said["iat"])):
        raise errors.Unauthorized()
    return Receipt(said["sub"], said["jti"], tuple(said["methods"]), said["iat"], said["exp"])

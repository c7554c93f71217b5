"""Signed tokens: JWS (ES256), checked in process with identity's public keys.

The claims follow keystone's JWS provider (``sub``, ``iat``, ``exp``, ``openstack_methods``, ``openstack_audit_ids``,
``openstack_project_id``) and add, under ``pileus``, the names and roles that a service needs so that no call to identity is made
on the request path.
"""

import hashlib
import threading
import time
from collections import OrderedDict

import jwt

from common import errors
from common.context import Context

ALGORITHM = "ES256"


def claims(ctx: Context) -> dict:
    """The payload that represents ``ctx``."""
    return {"sub": ctx.user_id, "iat": ctx.issued_at, "exp": ctx.expires_at,
            "openstack_methods": list(ctx.methods), "openstack_audit_ids": list(ctx.audit_ids),
            "openstack_project_id": ctx.project_id, "openstack_domain_id": ctx.domain_id,
            "openstack_system": "all" if ctx.system else None,
            "pileus": {"user": [ctx.user_name, ctx.user_domain_id, ctx.user_domain_name],
                       "project": [ctx.project_name, ctx.project_domain_id, ctx.project_domain_name],
                       "domain": ctx.domain_name, "roles": list(ctx.roles), "trust": list(ctx.trust),
                       "app_credential": list(ctx.app_credential), "access_rules": ctx.access_rules,
                       "login": ctx.logged_in_at,
                       "oauth": list(ctx.oauth), "federation": list(ctx.federation)}}


def sign(ctx: Context, key, key_id: str) -> str:
    return jwt.encode(claims(ctx), key, algorithm=ALGORITHM, headers={"kid": key_id})


_KEY_IDS: dict[str, str] = {}
# Shown to whoever presents an expired token: its former owner, who learns nothing new.
EXPIRED = f"{errors.Unauthorized.message} The token has expired: ask for a new one."


def _key_id(token: str, keys: dict) -> str:
    """The id of the key that signed a token. Tokens of one key begin alike, so the decoded header is cached."""
    head = token.partition(".")[0]
    known = _KEY_IDS.get(head)
    if known is None:
        known = jwt.get_unverified_header(token)["kid"]
        if known in keys and len(_KEY_IDS) < 64:
            _KEY_IDS[head] = known
    return known


def verify(token: str, keys: dict) -> Context:
    """The context that a token represents.

    :param keys: {key id: public key}
    :raises Unauthorized: unknown key, bad signature, expired or malformed token
    """
    try:
        key = keys[_key_id(token, keys)]
        payload = jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": ["exp", "iat", "sub"], "verify_iat": False})
        more = payload["pileus"]
        user, project = more["user"], more["project"]
    except jwt.ExpiredSignatureError:
        raise errors.Unauthorized(EXPIRED) from None
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise errors.Unauthorized() from None
    return Context(
        user_id=payload["sub"], user_name=user[0], user_domain_id=user[1], user_domain_name=user[2],
        project_id=payload["openstack_project_id"], project_name=project[0], project_domain_id=project[1],
        project_domain_name=project[2], domain_id=payload["openstack_domain_id"], domain_name=more["domain"],
        system=payload.get("openstack_system") == "all", roles=tuple(more["roles"]), trust=tuple(more.get("trust", ())),
        app_credential=tuple(more.get("app_credential", ())),
        access_rules=None if more.get("access_rules") is None else tuple(map(tuple, more["access_rules"])),
        oauth=tuple(more.get("oauth", ())), federation=tuple(more.get("federation", ())),
        audit_ids=tuple(payload["openstack_audit_ids"]), methods=tuple(payload["openstack_methods"]),
        issued_at=payload["iat"], logged_in_at=more.get("login") or payload["iat"], expires_at=payload["exp"], token=token)


class Revocations:
    """What has been revoked: constant time to ask, whatever the number of events.

    An event is ``{"id": int, "issued_before": epoch seconds, "expires_at": epoch seconds}`` and one of ``audit_id``,
    ``audit_chain_id``, ``user_id``, ``project_id``, ``domain_id``, ``trust_id``, ``app_credential_id``, ``oauth_token_id``,
    ``identity_provider_id``, or ``user_id`` with ``project_id``. A token is revoked when an event names it and it was issued
    before the event.
    """

    def __init__(self):
        self.last_id = 0
        self._before: dict[tuple, float] = {}
        self._lock = threading.Lock()

    @staticmethod
    def _key(event: dict) -> tuple:
        names = ("audit_id", "audit_chain_id", "user_id", "project_id", "domain_id", "trust_id", "app_credential_id",
                 "oauth_token_id", "identity_provider_id")
        return tuple((n, event[n]) for n in names if event.get(n))

    def add(self, events: list[dict]) -> None:
        with self._lock:
            for event in events:
                key = self._key(event)
                self._before[key] = max(self._before.get(key, 0), event["issued_before"])
                self.last_id = max(self.last_id, event["id"])

    def revoked(self, ctx: Context) -> bool:
        """A token derived from a revoked one is revoked too, even if it was issued later, by a worker that did not know the event
        yet. Its roles were read when it was issued.
        """
        user, project, home = ("user_id", ctx.user_id), ("project_id", ctx.project_id), ("domain_id", ctx.user_domain_id)
        login: list[tuple] = [(("audit_chain_id", ctx.audit_ids[-1]),)]
        made: list[tuple] = [(("audit_id", ctx.audit_ids[0]),), (project,), (user, project), (("domain_id", ctx.domain_id),),
                             (user, ("domain_id", ctx.domain_id)), (("domain_id", ctx.project_domain_id),)]
        if ctx.app_credential:
            made.append((("app_credential_id", ctx.app_credential[0]),))
        if ctx.federation:
            login.append((("identity_provider_id", ctx.federation[0]),))
        if ctx.oauth:
            made.append((("oauth_token_id", ctx.oauth[0]),))
        if ctx.trust:
            # Revoked with the trust, the trustor, and the trustee, who has authenticated.
            login.append((("user_id", ctx.trust[2]),))
            made += [(("trust_id", ctx.trust[0]),), (home,)]
            for party in ctx.trust[1:]:
                made += [(("user_id", party),), (("user_id", party), project)]
        else:
            login += [(user,), (home,)]
        known, logged_in_at = self._before, ctx.logged_in_at or ctx.issued_at
        for key in login:
            if key in known and logged_in_at <= known[key]:
                return True
        for key in made:
            if key in known and ctx.issued_at <= known[key]:
                return True
        return False


class Verifier:
    """Verifies tokens: the signature once, then from a bounded cache; expiry and revocation every time."""

    CACHE = 8192

    def __init__(self, keys: dict | None = None):
        self.keys = keys if keys is not None else {}
        self.revocations = Revocations()
        self._cache: OrderedDict[bytes, Context] = OrderedDict()

    def check(self, token: str) -> Context:
        """:raises Unauthorized: with the same text for every reason except expiry, so that nothing can be learnt from attempts"""
        if len(token) > 8192:
            raise errors.Unauthorized()
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        ctx = self._cache.get(digest)
        if ctx is None:
            ctx = verify(token, self.keys)
            self._cache[digest] = ctx
            while len(self._cache) > self.CACHE:
                self._cache.popitem(last=False)
        if ctx.expires_at <= time.time():
            self._cache.pop(digest, None)
            raise errors.Unauthorized(EXPIRED)
        if self.revocations.revoked(ctx):
            self._cache.pop(digest, None)
            raise errors.Unauthorized()
        return ctx

"""Every way in which a token of identity leads to another one, as somebody who holds it would try them all.

``Lender`` is a user with much: two projects, a domain, the system, EC2 keys, a passcode, application credentials, trusts.
``Lender.lend`` gives away a little of it in each way there is; ``Holder.reach`` is what can be had from a token.
"""

import base64
import email.utils
import hashlib
import hmac
import json
import time
import urllib.parse
import uuid

import sqlalchemy as sa
from oauthlib import oauth1

from identity.db import models
from tests.identity.conftest import Caller

HOST = "http://localhost"
ROLES = ("reader", "member", "manager", "admin", "service")


# Keystone lets none but administrators deal with consumers; an operator who offers OAuth to everybody says so.
RULES = '"identity:authorize_request_token": ""\n'


class Lender:
    """``ann`` lends, ``bob`` and a consumer borrow; a service with the role service takes signed requests."""

    def __init__(self, identity: Caller):
        self.identity, self.admin = identity, identity.admin
        ask = self.ask
        self.roles = {r["name"]: r["id"] for r in ask("GET", "/roles")["roles"]}
        self.red, self.blue = (ask("POST", "/projects", {"project": {"name": n}})["project"]["id"] for n in ("red", "blue"))
        self.ann, self.bob, self.clerk = (ask("POST", "/users", {"user": {
            "name": n, "password": "pw", "default_project_id": self.blue}})["user"]["id"] for n in ("ann", "bob", "clerk"))
        for on in (f"projects/{self.red}", f"projects/{self.blue}", "domains/default", "system"):
            for role in ("member", "manager"):
                ask("PUT", f"/{on}/users/{self.ann}/roles/{self.roles[role]}")
        ask("PUT", f"/projects/{self.blue}/users/{self.clerk}/roles/{self.roles['service']}")
        self.clerk_token = self.login("clerk", self.blue)
        self.own = self.login("ann", self.red)
        self.consumer = ask("POST", "/OS-OAUTH1/consumers", {"consumer": {}})["consumer"]
        self.keys = [self.key(p) for p in (self.red, self.blue)]
        self.note = ask("POST", "/credentials", {"credential": {"type": "note", "blob": "x"}}, self.own)["credential"]["id"]
        self.full = self.credential(unrestricted=True, roles=None)
        self.trust = self.make_trust(self.blue, "member")

    def ask(self, method, path, body=None, token=None, expect=range(200, 300)):
        response = self.identity.send(method, "/v3" + path, body, token=token or self.admin)
        assert response.status_int in expect, (method, path, response.text)
        return response.json if response.body else {}

    def login(self, name: str, project: str | None, password: str = "pw") -> str:
        response = self.identity.login(name, password, {"project": {"id": project}} if project else None)
        assert response.status_int == 201, response.text
        return response.headers["X-Subject-Token"]

    # What a user can give -----------------------------------------------

    def key(self, project: str) -> dict:
        return self.ask("POST", f"/users/{self.ann}/credentials/OS-EC2", {"tenant_id": project}, self.own)["credential"]

    def credential(self, *, roles=(("name", "reader"),), **more) -> dict:
        given = {"name": uuid.uuid4().hex, **({"roles": [dict(roles)]} if roles else {}), **more}
        path = f"/users/{self.ann}/application_credentials"
        return self.ask("POST", path, {"application_credential": given}, self.own)["application_credential"]

    def make_trust(self, project: str, role: str, **more) -> str:
        return self.ask("POST", "/OS-TRUST/trusts", {"trust": {
            "trustor_user_id": self.ann, "trustee_user_id": self.bob, "impersonation": True, "project_id": project,
            "roles": [{"name": role}], **more}}, self.own)["trust"]["id"]

    def access(self, project: str, role: str, token: str) -> dict | None:
        """The keys of an access token of OAuth that whoever has ``token`` authorizes; None where he may not."""
        wanted = self.signed("/v3/OS-OAUTH1/request_token", callback_uri="oob", headers={"Requested-Project-Id": project})
        keys = {"resource_owner_key": wanted["oauth_token"], "resource_owner_secret": wanted["oauth_token_secret"]}
        answer = self.identity.send("PUT", f"/v3/OS-OAUTH1/authorize/{wanted['oauth_token']}", {"roles": [{"name": role}]},
                                    token=token)
        if answer.status_int != 200:
            return None
        given = self.signed("/v3/OS-OAUTH1/access_token", verifier=answer.json["token"]["oauth_verifier"], **keys)
        return {"resource_owner_key": given["oauth_token"], "resource_owner_secret": given["oauth_token_secret"]}

    def signed(self, path: str, *, body=None, headers=(), **signing) -> dict:
        client = oauth1.Client(self.consumer["id"], client_secret=self.consumer["secret"], **signing)
        sent = client.sign(HOST + path, http_method="POST", headers=dict(headers))[1]
        response = self.identity.send("POST", path, body, **{k.replace("-", "_"): v for k, v in sent.items()})
        assert response.status_int == 201, response.text
        return {"token": response.headers["X-Subject-Token"]} if body else dict(urllib.parse.parse_qsl(response.text))

    # How a thing that was given is used: a token, or None -----------------

    def by_auth(self, identity: dict, scope=None) -> str | None:
        auth = {"auth": {"identity": identity, **({"scope": scope} if scope else {})}}
        return self.identity.send("POST", "/v3/auth/tokens", auth).headers.get("X-Subject-Token")

    def by_credential(self, made: dict) -> str | None:
        return self.by_auth({"methods": ["application_credential"], "application_credential": {
            k: made[k] for k in ("id", "secret")}})

    def by_trust(self, trust: str) -> str | None:
        return self.by_auth({"methods": ["token"], "token": {"id": self.login("bob", None)}}, {"OS-TRUST:trust": {"id": trust}})

    def by_key(self, key: dict) -> str | None:
        return self.identity.send("POST", "/v3/s3tokens", {"credentials": s3_v2(key)}, token=self.clerk_token).headers.get(
            "X-Subject-Token")

    def by_access(self, keys: dict) -> str:
        return self.signed("/v3/auth/tokens", body={"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}, **keys)["token"]

    def lend(self) -> dict[str, str]:
        """{how: a token}. Each may do what a reader may on red, and no more; by an EC2 key, what ann may there."""
        ends = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 600))
        return {
            "trust": self.by_trust(self.make_trust(self.red, "reader", expires_at=ends)),
            "trust without impersonation": self.by_trust(self.make_trust(self.red, "reader", expires_at=ends,
                                                                         impersonation=False)),
            "restricted credential": self.by_credential(self.credential(expires_at=ends)),
            "unrestricted credential": self.by_credential(self.credential(expires_at=ends, unrestricted=True)),
            "credential with rules": self.by_credential(self.credential(expires_at=ends, unrestricted=True, access_rules=[
                {"service": "identity", "method": "POST", "path": "/v3/users/*/application_credentials"}])),
            "consumer": self.by_access(self.access(self.red, "reader", self.own) or {}),
            "EC2 key": self.by_key(self.keys[0])}

    def kept(self) -> dict:
        """What nobody may take away or change: {table: rows}."""
        with self.identity.service.db.reader() as connection:
            return {t.name: sorted(map(repr, connection.execute(sa.select(t)).all())) for t in (
                models.credentials, models.trusts, models.users, models.assignments, models.consumers)}


def s3_v2(key: dict, at: float | None = None, path: str | None = None) -> dict:
    """A request that is signed as S3's version 2 has it."""
    text = f"GET\n\n\n{email.utils.formatdate(time.time() if at is None else at, usegmt=True)}\n/{path or uuid.uuid4()}"
    return {"access": key["access"], "token": base64.b64encode(text.encode()).decode(), "signature": base64.b64encode(
        hmac.new(key["secret"].encode(), text.encode(), hashlib.sha1).digest()).decode()}


class Holder:
    """Somebody who has one token, and tries everything."""

    def __init__(self, lender: Lender):
        self.lender, self.identity = lender, lender.identity

    def try_(self, token: str, method: str, path: str, body=None):
        return self.identity.send(method, path, body, token=token)

    def made(self, token: str, path: str, body: dict) -> dict | None:
        answer = self.try_(token, "POST", path, body)
        return next(iter(answer.json.values())) if answer.status_int in (200, 201) else None

    def reach(self, token: str) -> dict[str, str]:
        """{how: a token that this one leads to}"""
        found: dict[str, str | None] = {}
        for way in (self._rescope, self._keys, self._credentials, self._passed_on, self._account):
            found.update(way(token))
        return {how: t for how, t in found.items() if t}

    def _rescope(self, token: str) -> dict:
        of = self.lender
        scopes = {"default": None, "unscoped": "unscoped", "red": {"project": {"id": of.red}},
                  "blue": {"project": {"id": of.blue}}, "domain": {"domain": {"id": "default"}},
                  "system": {"system": {"all": True}}, "trust": {"OS-TRUST:trust": {"id": of.trust}}}
        shown = {"methods": ["token"], "token": {"id": token}}
        found: dict = {f"rescope to {name}": of.by_auth(shown, scope) for name, scope in scopes.items()}
        for tenant in (of.red, of.blue):
            answer = self.identity.send("POST", "/v2.0/tokens", {"auth": {"token": {"id": token}, "tenantId": tenant}})
            found[f"v2.0 {tenant}"] = answer.json["access"]["token"]["id"] if answer.status_int == 200 else None
        return found

    def _keys(self, token: str) -> dict:
        of, found = self.lender, {}
        for project in (of.red, of.blue):
            for path in (f"/v3/users/{of.ann}/credentials/OS-EC2", f"/v2.0/users/{of.ann}/credentials/OS-EC2"):
                made = self.made(token, path, {"tenant_id": project})
                found[f"EC2 {path[:5]} {project}"] = of.by_key(made) if made else None
            key = {"access": uuid.uuid4().hex, "secret": "s"}
            made = self.made(token, "/v3/credentials", {"credential": {
                "type": "ec2", "user_id": of.ann, "project_id": project, "blob": json.dumps(key)}})
            found[f"credential {project}"] = of.by_key(key) if made else None
        blobs = [c["blob"] for c in self._listed(token, "/v3/credentials")] + [
            json.dumps(c) for c in self._listed(token, f"/v3/users/{of.ann}/credentials/OS-EC2")]
        for i, blob in enumerate(b for b in blobs if "access" in b):
            found[f"secret {i} that was read"] = of.by_key(json.loads(blob))
        for known in of.keys:
            id = hashlib.sha256(known["access"].encode()).hexdigest()
            key = {"access": uuid.uuid4().hex, "secret": "mine"}
            if self.try_(token, "PATCH", f"/v3/credentials/{id}", {"credential": {"blob": json.dumps(key)}}).status_int == 200:
                found[f"key {known['tenant_id']} that was changed"] = of.by_key(key)
        return found

    def _listed(self, token: str, path: str) -> list[dict]:
        answer = self.try_(token, "GET", path)
        return next(v for k, v in answer.json.items() if k != "links") if answer.status_int == 200 else []

    def _credentials(self, token: str) -> dict:
        of, found = self.lender, {}
        for more in ({}, {"roles": [{"name": "member"}]}, {"unrestricted": True}, {"expires_at": "2090-01-01T00:00:00"},
                     {"access_rules": [{"service": "compute", "method": "GET", "path": "/**"}]}):
            made = self.made(token, f"/v3/users/{of.ann}/application_credentials", {
                "application_credential": {"name": uuid.uuid4().hex, **more}})
            found[f"application credential {more}"] = of.by_credential(made) if made else None
        return found

    def _passed_on(self, token: str) -> dict:
        of, found = self.lender, {}
        for project in (of.red, of.blue):
            for role in ("reader", "member"):
                made = self.made(token, "/v3/OS-TRUST/trusts", {"trust": {
                    "trustor_user_id": of.ann, "trustee_user_id": of.bob, "impersonation": True, "project_id": project,
                    "roles": [{"name": role}]}})
                found[f"trust {project} {role}"] = of.by_trust(made["id"]) if made else None
                keys = of.access(project, role, token)
                found[f"consumer {project} {role}"] = of.by_access(keys) if keys else None
        return found

    def _account(self, token: str) -> dict:
        of, new = self.lender, uuid.uuid4().hex
        changed = [self.try_(token, method, path, {"user": {"password": new, "enabled": True}}).status_int for method, path in (
            ("PATCH", f"/v3/users/{of.ann}"), ("PUT", f"/v2.0/users/{of.ann}/OS-KSADM/password"))]
        return {"password": of.login("ann", of.blue, new)} if 200 in changed else {}

    def destroy(self, token: str) -> list[str]:
        """Try to end everything of the user's. What worked."""
        of, worked = self.lender, []
        access = [f"/v3/users/{of.ann}/credentials/OS-EC2/{k['access']}" for k in of.keys]
        ids = [f"/v3/credentials/{hashlib.sha256(k['access'].encode()).hexdigest()}" for k in of.keys]
        for path in (*access, *(p.replace("/v3/", "/v2.0/") for p in access), *ids, f"/v3/credentials/{of.note}",
                     f"/v3/OS-TRUST/trusts/{of.trust}", f"/v3/users/{of.ann}"):
            if self.try_(token, "DELETE", path).status_int < 300:
                worked.append(path)
        return worked

"""Federation: maps the assertion of an identity provider about a user to a user and groups of this cloud.

A front proxy (for example Apache with mod_auth_openidc) implements the provider's protocol, and passes the claims on
as headers. Since anybody could send such headers, they are accepted only with the secret that the proxy and this
service share (``proxy_secret``); without a secret, federation is disabled. The proxy must remove headers with these
names from clients' requests.

Mappings are Keystone's: a list of rules; each rule whose ``remote`` part matches adds its ``local`` part.
"""

import hashlib
import re
import time
import typing

import sqlalchemy as sa

from common import context, errors, rows, units
from common.conf import ConfigError
from common.values import same_secret
from identity.db import grants, models

PROVIDERS, PROTOCOLS, MAPPINGS = models.identity_providers, models.federation_protocols, models.mappings
USERS, EXPIRING = models.users, models.expiring_memberships
_INDEX = re.compile(r"\{(\d+)\}")
_NAMED = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}
_DOMAIN = {"domain": _NAMED}
_WORDS = {"type": "array", "items": {"type": "string", "maxLength": 1024}, "maxItems": 1000}
_REMOTE = {"type": "object", "properties": {
    "type": {"type": "string", "minLength": 1}, "any_one_of": _WORDS, "not_any_of": _WORDS, "whitelist": _WORDS,
    "blacklist": _WORDS, "regex": {"type": "boolean"}}, "required": ["type"], "additionalProperties": False}
_LOCAL = {"type": "object", "additionalProperties": False, "minProperties": 1, "properties": {
    "user": {"type": "object", "additionalProperties": False, "properties": {
        "id": {"type": "string"}, "name": {"type": "string"}, "email": {"type": "string"}, **_DOMAIN,
        "type": {"enum": ["ephemeral", "local"]}}},
    "group": {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}, **_DOMAIN}},
    "groups": {"type": "string"}, "group_ids": {"type": "string"}, **_DOMAIN,
    "projects": {"type": "array", "items": {"type": "object", "required": ["name", "roles"], "properties": {
        "name": {"type": "string"}, "roles": {"type": "array", "items": {
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}}}}}}
RULES = {"type": "array", "minItems": 1, "maxItems": 1000, "items": {
    "type": "object", "additionalProperties": False, "required": ["local", "remote"], "properties": {
        "local": {"type": "array", "minItems": 1, "items": _LOCAL},
        "remote": {"type": "array", "minItems": 1, "items": _REMOTE}}}}


class Mapped(typing.NamedTuple):
    user: dict  # {"id", "name", "email", "domain", "type"}, those that a rule contains
    groups: list[dict]  # each {"id"} or {"name", "domain"}
    projects: list[dict]  # each {"name", "roles": [{"name"}]}


def assertion(environ: dict, secret: str | None) -> dict[str, str]:
    """The proxy's assertion: {variable: value}. :raises Unauthorized: the request does not come from the proxy"""
    shown = environ.get("HTTP_X_FEDERATION_SECRET", "")
    if not secret or not same_secret(shown, secret):
        raise errors.Unauthorized()
    # WSGI's strings are latin-1; the proxies send UTF-8
    return {k: v.encode("latin-1", "replace").decode("utf-8", "replace") for k, v in environ.items()
            if isinstance(v, str) and (k.startswith("HTTP_") or k == "REMOTE_USER") and k != "HTTP_X_FEDERATION_SECRET"}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _matches(values: list[str], words: list[str], regex: bool) -> list[str]:
    return [v for v in values if any(re.search(w, v) if regex else w == v for w in words)]


def _direct(remote: list[dict], said: dict[str, str]) -> list[list[str]] | None:
    """The values for {0}, {1}, …; None if the rule does not match."""
    found: list[list[str]] = []
    for item in remote:
        if item["type"] not in said:
            return None
        values, regex = _split(said[item["type"]]), item.get("regex", False)
        if "any_one_of" in item:
            if not _matches(values, item["any_one_of"], regex):
                return None
        elif "not_any_of" in item:
            if _matches(values, item["not_any_of"], regex):
                return None
        elif "whitelist" in item:
            found.append(_matches(values, item["whitelist"], regex))
        elif "blacklist" in item:
            out = _matches(values, item["blacklist"], regex)
            found.append([v for v in values if v not in out])
        else:
            found.append(values)
    return found


def _filled(template, direct: list[list[str]]):
    """A local part with {0}, {1}, … replaced recursively. :raises Forbidden: it refers to a value that the rule does
    not have"""
    if isinstance(template, dict):
        return {k: _filled(v, direct) for k, v in template.items()}
    if isinstance(template, list):
        return [_filled(v, direct) for v in template]

    def value(match) -> str:
        index = int(match[1])
        if index >= len(direct):
            raise errors.Forbidden(f"The mapping refers to {match[0]}, which its rule does not have.")
        return ";".join(direct[index])
    return _INDEX.sub(value, template) if isinstance(template, str) else template


def mapped(rules: list[dict], said: dict[str, str]) -> Mapped:
    """Apply the rules to an assertion.

    :raises Unauthorized: no rule results in a user
    """
    user: dict = {}
    groups: list[dict] = []
    projects: list[dict] = []
    for rule in rules:
        direct = _direct(rule["remote"], said)
        if direct is None:
            continue
        for local in (_filled(item, direct) for item in rule["local"]):
            user = user or local.get("user", {})
            groups += [local["group"]] if "group" in local else []
            groups += [{"name": n, "domain": local.get("domain", {})} for n in _split(local.get("groups", ""))]
            groups += [{"id": i} for i in _split(local.get("group_ids", ""))]
            projects += local.get("projects", [])
    if not (user.get("id") or user.get("name")):
        raise errors.Unauthorized("Could not map any federated user properties to identity values.")
    return Mapped(user, groups, projects)


class Federation:
    """:param service: the identity service"""

    def __init__(self, service):
        self.service = service
        secret = service.conf.federation.proxy_secret
        if secret is not None and len(secret) < 16:
            raise ConfigError("[federation] proxy_secret must have at least 16 characters: anybody who guesses it can log in as "
                              "any user")

    def provider_of(self, connection, protocol_id: str, said: dict[str, str]) -> str:
        """The id of the provider for an assertion. :raises Forbidden: unknown issuer"""
        for protocol in rows.many(connection, sa.select(PROTOCOLS).where(PROTOCOLS.c.id == protocol_id)):
            issuer = said.get(self._issuer_in(protocol))
            known = rows.get(connection, PROVIDERS, protocol["idp_id"], resource="identity provider")["remote_ids"]
            if issuer and issuer in known:
                return protocol["idp_id"]
        raise errors.Forbidden("No identity provider has the issuer of the assertion.")

    def _issuer_in(self, protocol: dict) -> str:
        return protocol["remote_id_attribute"] or self.service.conf.federation.remote_id_attribute

    def _trusted(self, connection, idp_id: str, protocol_id: str, said: dict[str, str]) -> tuple[dict, dict]:
        """(provider, mapping). :raises Forbidden: the provider is disabled, or another provider has issued the assertion"""
        provider = rows.get(connection, PROVIDERS, idp_id, resource="identity provider")
        protocol = rows.get(connection, PROTOCOLS, protocol_id, resource="federation protocol", idp_id=idp_id)
        if not provider["enabled"]:
            raise errors.Forbidden("The identity provider is disabled.")
        # Otherwise a provider could assert the identity of another provider's user.
        if provider["remote_ids"] and said.get(self._issuer_in(protocol)) not in provider["remote_ids"]:
            raise errors.Forbidden("The assertion was issued by another identity provider.")
        return provider, rows.get(connection, MAPPINGS, protocol["mapping_id"], resource="mapping")

    @units.unit
    def login(self, idp_id: str, protocol_id: str, said: dict[str, str]) -> str:
        """The id of the user in an assertion.

        The group memberships in it are valid for the provider's ``authorization_ttl``, by default a token's lifetime:
        they may differ at the next login.
        """
        with self.service.db.writer() as connection:
            provider, mapping = self._trusted(connection, idp_id, protocol_id, said)
            found = mapped(mapping["rules"], said)
            if found.user.get("type") == "local":
                return self._local(connection, found.user)
            user_id = self._shadow(connection, provider, protocol_id, found.user)
            group_ids = [g for g in (self._group(connection, g, provider) for g in found.groups) if g]
            minutes = provider["authorization_ttl"]
            self._member_until(connection, user_id, idp_id, group_ids, time.time() + (
                minutes * 60 if minutes else self.service.conf.identity.token_expiration))
            for project in found.projects:
                self._provide(connection, provider, user_id, project)
        return user_id

    @staticmethod
    def _domain(connection, ref: dict, default: str) -> str | None:
        if "id" in ref or not ref.get("name"):
            return ref.get("id", default)
        return connection.execute(sa.select(models.domains.c.id).where(models.domains.c.name == ref["name"])).scalar()

    def _local(self, connection, user: dict) -> str:
        where = [USERS.c.id == user["id"]] if user.get("id") else [
            USERS.c.name == user["name"], USERS.c.domain_id == self._domain(connection, user.get("domain", {}), "default")]
        id = connection.execute(sa.select(USERS.c.id).where(*where)).scalar()
        if id is None:
            raise errors.Unauthorized()
        return id

    @staticmethod
    def _shadow(connection, provider: dict, protocol_id: str, user: dict) -> str:
        """The row of a provider's user, in the provider's domain; the same at each login."""
        unique = user.get("id") or user["name"]
        id = hashlib.sha256(f"{provider['domain_id']}user{provider['id']}:{protocol_id}:{unique}".encode()).hexdigest()
        name = (user.get("name") or unique)[:240]
        taken = sa.select(USERS.c.id).where(USERS.c.domain_id == provider["domain_id"], USERS.c.name == name, USERS.c.id != id)
        if connection.execute(taken).first():
            name = f"{name}#{id[:8]}"
        known = rows.one(connection, sa.select(USERS).where(USERS.c.id == id))
        values = {"name": name, "email": user.get("email")}
        if known is None:
            connection.execute(sa.insert(USERS).values(id=id, domain_id=provider["domain_id"], enabled=True, failed_logins=0,
                                                       external=True, **values))
        elif any(known[k] != v for k, v in values.items()):
            connection.execute(sa.update(USERS).where(USERS.c.id == id).values(values))
        return id

    def _group(self, connection, group: dict, provider: dict) -> str | None:
        """The id of a group; None if it does not exist, because providers send groups that have no meaning here."""
        table = models.groups
        where = [table.c.id == group["id"]] if "id" in group else [
            table.c.name == group.get("name", ""),
            table.c.domain_id == self._domain(connection, group.get("domain", {}), provider["domain_id"])]
        return connection.execute(sa.select(table.c.id).where(*where)).scalar()

    def _member_until(self, connection, user_id: str, idp_id: str, group_ids: list[str], until: float) -> None:
        mine = (EXPIRING.c.user_id == user_id, EXPIRING.c.idp_id == idp_id)
        had = set(connection.execute(sa.select(EXPIRING.c.group_id).where(*mine)).scalars())
        connection.execute(sa.delete(EXPIRING).where(*mine))
        for group_id in set(group_ids):
            connection.execute(sa.insert(EXPIRING).values(user_id=user_id, group_id=group_id, idp_id=idp_id, expires_at=until))
        if had - set(group_ids):
            self.service.revoke(connection, user_id=user_id)

    @staticmethod
    def _provide(connection, provider: dict, user_id: str, project: dict) -> None:
        """The project with this name in the provider's domain, created if missing, and the roles on it."""
        key = {"name": project["name"][:64], "domain_id": provider["domain_id"]}
        id = connection.execute(sa.select(models.projects.c.id).filter_by(**key)).scalar()
        if id is None:
            id = rows.insert(connection, models.projects, {
                "id": context.new_hex(), **key, "parent_id": key["domain_id"], "description": "", "enabled": True})["id"]
        for role in project["roles"]:
            role_id = connection.execute(sa.select(models.roles.c.id).where(
                models.roles.c.name == role["name"], models.roles.c.domain_id == "")).scalar()
            if role_id is None:
                raise errors.Forbidden(f"The mapping refers to the role {role['name']}, which does not exist.")
            grants.add(connection, user_id=user_id, target_type="project", target_id=id, role_id=role_id)

"""OS-FEDERATION: identity providers, their protocols, mappings, service providers; and logins by them."""

import html
import secrets

from common import context, errors, rows, schema, wsgi
from identity import federation
from identity.db import models
from identity.handlers.auth import described

_ENABLED = {"enabled": {"type": "boolean"}, "description": schema.LONG_TEXT}
_ID = {"type": "string", "minLength": 1, "maxLength": 64}
_URL = {"type": "string", "pattern": "https?://.*", "maxLength": 255}
_BASE = "/v3/OS-FEDERATION"


class _Kind:
    """Things that a client names himself: PUT makes them.

    :param path: template; ``{id}`` is the thing's, ``{idp_id}`` that of the provider that it belongs to
    :param extra: unknown properties are ignored instead of refused
    """

    def __init__(self, singular: str, plural: str, table, path: str, properties: dict, required: tuple = (), *, checks=None,
                 extra: bool = False):
        self.singular, self.plural, self.table, self.path, self.checks = singular, plural, table, path, checks
        self.defaults = {c.name: None for c in table.c}
        self.noun = "protocol" if plural == "protocols" else singular
        self.properties = properties
        self._create = schema.compiled(schema.wrapped(singular, properties, required, extra=extra))
        self._update = schema.compiled(schema.wrapped(singular, properties, extra=extra))

    def view(self, req, row: dict) -> dict:
        path = self.path.format(**row)
        shown = {**{k: v for k, v in row.items() if k != "idp_id"}, "links": {"self": req.base_url() + path}}
        if self.plural == "identity_providers":
            shown["links"]["protocols"] = f"{req.base_url()}{path}/protocols"
        if self.plural == "protocols":
            shown["links"]["identity_provider"] = f"{req.base_url()}{_BASE}/identity_providers/{row['idp_id']}"
        return shown

    def _rule(self, req, verb: str) -> None:
        req.svc.policy.check(req.ctx, f"identity:{verb}_{self.plural if verb == 'list' else self.noun}", {})

    def index(self, req, **of):
        self._rule(req, "list")
        table = self.table
        with req.svc.db.reader() as connection:
            if of:
                rows.get(connection, models.identity_providers, of["idp_id"], resource="identity provider")
            wanted = {**of, **{k: req.GET[k] for k in ("id",) if k in req.GET}}
            found = rows.select(connection, table, **wanted)
        if "enabled" in req.GET and "enabled" in table.c:
            found = [r for r in found if r["enabled"] == wsgi.bool_value(req.GET["enabled"])]
        return {self.plural: [self.view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}

    def show(self, req, id, **of):
        self._rule(req, "get")
        with req.svc.db.reader() as connection:
            return {self.singular: self.view(req, rows.get(connection, self.table, id, resource=self.noun, **of))}

    def put(self, req, id, **of):
        self._rule(req, "create")
        body = req.json_object()
        self._create(body)
        row = {**self.defaults, "enabled": True, **self._known(body), "id": id, **of}
        row = {k: v for k, v in row.items() if k in self.table.c}
        with req.svc.db.writer() as connection:
            if self.checks:
                self.checks(connection, row)
            rows.insert(connection, self.table, row, conflict=f"Conflict occurred attempting to store {self.noun} - Duplicate "
                                                              f"entry found with ID {id}.")
        return {self.singular: self.view(req, row)}

    def update(self, req, id, **of):
        self._rule(req, "update")
        body = req.json_object()
        self._update(body)
        with req.svc.db.writer() as connection:
            old = rows.get(connection, self.table, id, resource=self.noun, **of)
            given = self._known(body)
            new = {**old, **given}
            if self.checks:
                self.checks(connection, new, old)
            values = {name: new[name] for name in given}
            rows.update(connection, self.table, id, values, resource=self.noun, **of)
            self._ended(req, connection, new, old)
        req.svc.revocations.run_once()
        return {self.singular: self.view(req, new)}

    def _known(self, body: dict) -> dict:
        return {name: value for name, value in body[self.singular].items() if name in self.properties}

    def delete(self, req, id, **of):
        self._rule(req, "delete")
        with req.svc.db.writer() as connection:
            row = rows.get(connection, self.table, id, resource=self.noun, **of)
            if self.table is models.mappings and rows.exists(connection, models.federation_protocols, mapping_id=id):
                raise errors.Conflict(f"Mapping {id} is used by a protocol.")
            rows.delete_where(connection, self.table, id=id, **of)
            self._ended(req, connection, {"enabled": False}, row)
        req.svc.revocations.run_once()

    def _ended(self, req, connection, row: dict, old: dict) -> None:
        """Revoke the tokens of users who logged in through a provider that is now disabled or deleted."""
        if self.table is models.identity_providers and old["enabled"] and not row["enabled"]:
            req.svc.revoke(connection, identity_provider_id=old["id"])

    def routes(self) -> list[wsgi.Route]:
        return [wsgi.Route("GET", self.path.rsplit("/", 1)[0], self.index), wsgi.Route("PUT", self.path, self.put, 201),
                wsgi.Route("GET", self.path, self.show), wsgi.Route("PATCH", self.path, self.update),
                wsgi.Route("DELETE", self.path, self.delete, 204)]


def _provider(connection, row: dict, old: dict | None = None) -> None:
    """A provider without a domain gets one of its own; each issuer is one provider's."""
    if old is not None and row["domain_id"] != old["domain_id"]:
        raise errors.BadRequest("The domain of an identity provider cannot be changed.")
    row["remote_ids"] = row["remote_ids"] or []
    if row["domain_id"]:
        rows.get(connection, models.domains, row["domain_id"], resource="domain")
    else:
        row["domain_id"] = rows.insert(connection, models.domains, {
            "id": context.new_hex(), "name": context.new_hex(), "enabled": True,
            "description": f"Auto generated federated domain for Identity Provider: {row['id']}"})["id"]
    for other in rows.select(connection, models.identity_providers):
        if other["id"] != row["id"] and set(other["remote_ids"] or ()) & set(row["remote_ids"]):
            raise errors.Conflict("Duplicate remote ID: it belongs to another identity provider.")


def _protocol(connection, row: dict, old: dict | None = None) -> None:
    rows.get(connection, models.identity_providers, row["idp_id"], resource="identity provider")
    rows.get(connection, models.mappings, row["mapping_id"], resource="mapping")


def _service_provider(connection, row: dict, old: dict | None = None) -> None:
    row["relay_state_prefix"] = row["relay_state_prefix"] or "ss:mem:"


PROVIDER = _Kind("identity_provider", "identity_providers", models.identity_providers, _BASE + "/identity_providers/{id}", {
    **_ENABLED, "domain_id": {"type": ["string", "null"], "maxLength": 64},
    "authorization_ttl": schema.integer(null=True),
    "remote_ids": {"type": ["array", "null"], "maxItems": 64, "uniqueItems": True,
                   "items": {"type": "string", "maxLength": 255}}},
    checks=_provider)
PROTOCOL = _Kind("protocol", "protocols", models.federation_protocols, _BASE + "/identity_providers/{idp_id}/protocols/{id}", {
    "mapping_id": _ID, "remote_id_attribute": {"type": ["string", "null"], "maxLength": 64}}, ("mapping_id",), checks=_protocol)
MAPPING = _Kind("mapping", "mappings", models.mappings, _BASE + "/mappings/{id}", {
    "rules": federation.RULES, "schema_version": {"enum": ["1.0", "2.0"]}}, ("rules",), extra=True)  # the SDK sends the id
SERVICE_PROVIDER = _Kind("service_provider", "service_providers", models.service_providers, _BASE + "/service_providers/{id}", {
    **_ENABLED, "auth_url": _URL, "sp_url": _URL, "relay_state_prefix": {"type": ["string", "null"], "maxLength": 255}},
    ("auth_url", "sp_url"), checks=_service_provider)


def _said(req) -> dict[str, str]:
    return federation.assertion(req.environ, req.svc.conf.federation.proxy_secret)


def login(req, idp_id, protocol_id):
    """An unscoped token for the user that the proxy has authenticated."""
    ctx, token = req.svc.authenticator.federated(idp_id, protocol_id, _said(req), req.ctx)
    return described(req, ctx, token, 201)


def websso(req, protocol_id, idp_id=None):
    """The same for a browser: a page that hands the token to the dashboard that had sent it here."""
    origin = req.GET.get("origin", "")
    if origin not in req.svc.conf.federation.trusted_dashboard:
        raise errors.Unauthorized(f"{origin} is not a trusted dashboard host.")
    said = _said(req)
    if idp_id is None:
        with req.svc.db.reader() as connection:
            idp_id = req.svc.federation.provider_of(connection, protocol_id, said)
    _, token = req.svc.authenticator.federated(idp_id, protocol_id, said, req.ctx)
    nonce = secrets.token_urlsafe(16)
    page = (f'<!DOCTYPE html><title>Signing in</title><form id="sso" name="sso" action="{html.escape(origin)}" method="post">'
            f'<input type="hidden" name="token" value="{html.escape(token)}"><button>Continue</button></form>'
            f'<script nonce="{nonce}">document.forms.sso.submit()</script>')
    return wsgi.Response(body=page.encode(), status=200, content_type="text/html", charset="UTF-8", headers={
        "Content-Security-Policy": f"default-src 'none'; script-src 'nonce-{nonce}'", "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"})


def routes() -> list[wsgi.Route]:
    by_provider, sso = "identity_providers/{idp_id}/protocols/{protocol_id}", "/v3/auth/OS-FEDERATION"
    logins = ((f"{_BASE}/{by_provider}/auth", login, 201), (f"{sso}/{by_provider}/websso", websso, 200),
              (sso + "/websso/{protocol_id}", websso, 200))
    return [*PROVIDER.routes(), *PROTOCOL.routes(), *MAPPING.routes(), *SERVICE_PROVIDER.routes(),
            *[wsgi.Route(method, path, handler, status) for path, handler, status in logins for method in ("GET", "POST")]]

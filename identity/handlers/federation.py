"""OS-FEDERATION: identity providers, their protocols, mappings, service providers; and logins through them."""

import html
import secrets

from common import errors, schema, wsgi
from identity import federation
from identity.handlers.auth import described
from identity.schemas import federation as schemas
from identity.services import federation as service

_BASE = "/v3/OS-FEDERATION"


class _Handlers:
    """The handlers of one resource, which PUT creates.

    :param path: template; ``{id}`` is the resource's id, ``{idp_id}`` that of the provider to which it belongs
    :param extra: unknown properties are ignored instead of refused
    """

    def __init__(self, kind: service.Kind, path: str, properties: dict, required: tuple = (), *, extra: bool = False):
        self.kind, self.path, self.properties = kind, _BASE + path, properties
        self._create = schema.compiled(schema.wrapped(kind.noun, properties, required, extra=extra))
        self._update = schema.compiled(schema.wrapped(kind.noun, properties, extra=extra))

    def view(self, req, row: dict) -> dict:
        path = self.path.format(**row)
        shown = {**{k: v for k, v in row.items() if k != "idp_id"}, "links": {"self": req.base_url() + path}}
        if self.kind is service.PROVIDER:
            shown["links"]["protocols"] = f"{req.base_url()}{path}/protocols"
        if self.kind is service.PROTOCOL:
            shown["links"]["identity_provider"] = f"{req.base_url()}{_BASE}/identity_providers/{row['idp_id']}"
        return shown

    def _given(self, req, check):
        def given() -> dict:
            body = req.json_object()
            check(body)
            return {name: value for name, value in body[self.kind.noun].items() if name in self.properties}
        return given

    def index(self, req, **of):
        found = self.kind.index(req.call, {k: req.GET[k] for k in ("id",) if k in req.GET}, **of)
        if "enabled" in req.GET and "enabled" in self.properties:
            found = [r for r in found if r["enabled"] == wsgi.bool_value(req.GET["enabled"])]
        return {self.kind.plural: [self.view(req, r) for r in found],
                "links": {"self": req.path_url, "next": None, "previous": None}}

    def show(self, req, id, **of):
        return {self.kind.noun: self.view(req, self.kind.show(req.call, id, **of))}

    def put(self, req, id, **of):
        return {self.kind.noun: self.view(req, self.kind.create(req.call, id, self._given(req, self._create), **of))}

    def update(self, req, id, **of):
        return {self.kind.noun: self.view(req, self.kind.update(req.call, id, self._given(req, self._update), **of))}

    def delete(self, req, id, **of):
        self.kind.delete(req.call, id, **of)

    def routes(self) -> list[wsgi.Route]:
        return [wsgi.Route("GET", self.path.rsplit("/", 1)[0], self.index), wsgi.Route("PUT", self.path, self.put, 201),
                wsgi.Route("GET", self.path, self.show), wsgi.Route("PATCH", self.path, self.update),
                wsgi.Route("DELETE", self.path, self.delete, 204)]


PROVIDER = _Handlers(service.PROVIDER, "/identity_providers/{id}", {
    **schemas.ENABLED, "domain_id": {"type": ["string", "null"], "maxLength": 64},
    "authorization_ttl": schema.integer(null=True),
    "remote_ids": {"type": ["array", "null"], "maxItems": 64, "uniqueItems": True,
                   "items": {"type": "string", "maxLength": 255}}})
PROTOCOL = _Handlers(service.PROTOCOL, "/identity_providers/{idp_id}/protocols/{id}", {
    "mapping_id": schemas.ID, "remote_id_attribute": {"type": ["string", "null"], "maxLength": 64}}, ("mapping_id",))
MAPPING = _Handlers(service.MAPPING, "/mappings/{id}", {
    "rules": federation.RULES, "schema_version": {"enum": ["1.0", "2.0"]}}, ("rules",), extra=True)  # the SDK sends the id
SERVICE_PROVIDER = _Handlers(service.SERVICE_PROVIDER, "/service_providers/{id}", {
    **schemas.ENABLED, "auth_url": schemas.URL, "sp_url": schemas.URL,
    "relay_state_prefix": {"type": ["string", "null"], "maxLength": 255}},
    ("auth_url", "sp_url"))


def _said(req) -> dict[str, str]:
    return federation.assertion(req.environ, req.svc.conf.federation.proxy_secret)


def login(req, idp_id, protocol_id):
    """An unscoped token for the user that the proxy has authenticated."""
    ctx, token = req.svc.authenticator.federated(idp_id, protocol_id, _said(req), req.ctx)
    return described(req, ctx, token, 201)


def websso(req, protocol_id, idp_id=None):
    """The same for a browser: a page that posts the token to the dashboard that redirected the browser here."""
    origin = req.GET.get("origin", "")
    if origin not in req.svc.conf.federation.trusted_dashboard:
        raise errors.Unauthorized(f"{origin} is not a trusted dashboard host.")
    said = _said(req)
    if idp_id is None:
        idp_id = service.provider_of(req.call, protocol_id, said)
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

"""The contents of a token in the API: its body, catalog and times."""

import datetime
import json

import sqlalchemy as sa

from common import errors, values
from common.context import Context
from identity.db import grants, models


def stamp(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str | None) -> float | None:
    """Epoch seconds of an expiry time in ISO 8601, UTC.

    :raises BadRequest: invalid, or in the past
    """
    if text is None:
        return None
    found = values.moment(text, "expires_at").replace(tzinfo=datetime.timezone.utc)
    if found.year == datetime.MAXYEAR:
        found = found.replace(microsecond=0)  # as a float, seconds since 1970 would be rounded up to the next year
    if found <= datetime.datetime.now(datetime.timezone.utc):
        raise errors.BadRequest("The expires_at must be in the future.")
    return found.timestamp()


def body(service, ctx: Context, *, with_catalog: bool = True) -> dict:
    """The ``token`` object that describes a context, as /v3/auth/tokens answers it."""
    described: dict = {
        "methods": list(ctx.methods), "audit_ids": list(ctx.audit_ids), "expires_at": stamp(ctx.expires_at),
        "issued_at": stamp(ctx.issued_at),
        "user": {"id": ctx.user_id, "name": ctx.user_name, "password_expires_at": _password_end(service, ctx),
                 "domain": {"id": ctx.user_domain_id, "name": ctx.user_domain_name}}}
    if ctx.federation:
        described["user"]["OS-FEDERATION"] = _federation(service, ctx)
    if ctx.trust:
        described["OS-TRUST:trust"] = {"id": ctx.trust[0], "impersonation": ctx.user_id == ctx.trust[1],
                                       "trustor_user": {"id": ctx.trust[1]}, "trustee_user": {"id": ctx.trust[2]}}
    if ctx.oauth:
        described["OS-OAUTH1"] = {"access_token_id": ctx.oauth[0], "consumer_id": ctx.oauth[1]}
    if ctx.app_credential:
        described["application_credential"] = _credential(service, ctx)
    if ctx.project_id:
        described["is_domain"] = False
        described["project"] = {"id": ctx.project_id, "name": ctx.project_name,
                                "domain": {"id": ctx.project_domain_id, "name": ctx.project_domain_name}}
    if ctx.domain_id:
        described["domain"] = {"id": ctx.domain_id, "name": ctx.domain_name}
    if ctx.system:
        described["system"] = {"all": True}
    if ctx.roles:
        described["roles"] = service.catalog.roles(ctx.roles)
        if with_catalog:
            described["catalog"] = service.catalog.of(ctx.project_id)
    return {"token": described}


def rendered(service, ctx: Context, *, with_catalog: bool = True) -> bytes:
    """``body`` as JSON. The catalog, its largest part, is cached in encoded form."""
    head = json.dumps(body(service, ctx, with_catalog=False)["token"], separators=(",", ":")).encode()
    if not (ctx.roles and with_catalog):
        return b'{"token":%b}' % head
    return b'{"token":%b,"catalog":%b}}' % (head[:-1], service.catalog.encoded(ctx.project_id))


def _password_end(service, ctx: Context) -> str | None:
    """The time at which the password of a token's user expires, if passwords expire in this cloud."""
    if not service.compliance.expires_passwords:
        return None
    with service.db.reader() as connection:
        found = connection.execute(sa.select(models.users.c.password_expires_at).where(models.users.c.id == ctx.user_id)).scalar()
    return stamp(found) if found else None


def _federation(service, ctx: Context) -> dict:
    idp_id, protocol_id = ctx.federation
    with service.db.reader() as connection:
        groups = connection.execute(grants.groups_by_provider(ctx.user_id, idp_id)).scalars().all()
    return {"identity_provider": {"id": idp_id}, "protocol": {"id": protocol_id}, "groups": [{"id": g} for g in groups]}


def _credential(service, ctx: Context) -> dict:
    table = models.application_credentials
    with service.db.reader() as connection:
        name = connection.execute(sa.select(table.c.name).where(table.c.id == ctx.app_credential[0])).scalar()
    shown: dict = {"id": ctx.app_credential[0], "name": name, "restricted": ctx.app_credential[1]}
    if ctx.access_rules is not None:
        shown["access_rules"] = [{"service": s, "method": m, "path": p} for s, m, p in ctx.access_rules]
    return shown

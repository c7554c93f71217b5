"""What a token says: its body, the catalog in it, the times."""

import datetime

import sqlalchemy as sa

from common import errors
from common.context import Context
from common.db import many
from identity.db import endpoint_filter, models


def stamp(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str | None) -> float | None:
    """Epoch seconds of the ISO 8601 time, in UTC, at which something is to end.

    :raises BadRequest: it is none, or past
    """
    if text is None:
        return None
    try:
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise errors.BadRequest(f"Failed to parse expires_at: {text!r} is no ISO 8601 time.") from None
    found = found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)
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
    if ctx.trust:
        described["OS-TRUST:trust"] = {"id": ctx.trust[0], "impersonation": ctx.user_id == ctx.trust[1],
                                       "trustor_user": {"id": ctx.trust[1]}, "trustee_user": {"id": ctx.trust[2]}}
    if ctx.oauth:
        described["OS-OAUTH1"] = {"access_token_id": ctx.oauth[0], "consumer_id": ctx.oauth[1]}
    with service.db.reader() as connection:
        if ctx.app_credential:
            described["application_credential"] = _credential(connection, ctx)
        if ctx.project_id:
            described["is_domain"] = False
            described["project"] = {"id": ctx.project_id, "name": ctx.project_name,
                                    "domain": {"id": ctx.project_domain_id, "name": ctx.project_domain_name}}
        if ctx.domain_id:
            described["domain"] = {"id": ctx.domain_id, "name": ctx.domain_name}
        if ctx.system:
            described["system"] = {"all": True}
        if ctx.roles:
            described["roles"] = many(connection, sa.select(models.roles.c.id, models.roles.c.name)
                                      .where(models.roles.c.name.in_(ctx.roles), models.roles.c.domain_id == "")
                                      .order_by(models.roles.c.name))
            if with_catalog:
                described["catalog"] = catalog(connection, ctx.project_id)
    return {"token": described}


def _password_end(service, ctx: Context) -> str | None:
    """When the password of a token's user expires; asked only of clouds where passwords do."""
    if not service.compliance.expires_passwords:
        return None
    with service.db.reader() as connection:
        found = connection.execute(sa.select(models.users.c.password_expires_at).where(models.users.c.id == ctx.user_id)).scalar()
    return stamp(found) if found else None


def _credential(connection, ctx: Context) -> dict:
    table = models.application_credentials
    name = connection.execute(sa.select(table.c.name).where(table.c.id == ctx.app_credential[0])).scalar()
    shown: dict = {"id": ctx.app_credential[0], "name": name, "restricted": ctx.app_credential[1]}
    if ctx.access_rules is not None:
        shown["access_rules"] = [{"service": s, "method": m, "path": p} for s, m, p in ctx.access_rules]
    return shown


def catalog(connection, project_id: str | None) -> list[dict]:
    """The service catalog with the project's id filled into its URLs."""
    s, e = models.services, models.endpoints
    rows = many(connection, sa.select(s.c.id.label("service"), s.c.type, s.c.name, e.c.id, e.c.interface, e.c.region_id,
                                      e.c.url).join(e, e.c.service_id == s.c.id)
                .where(s.c.enabled, e.c.enabled, endpoint_filter.seen(connection, project_id))
                .order_by(s.c.type, e.c.interface))
    found: dict[str, dict] = {}
    for row in rows:
        url = row["url"].replace("$(project_id)s", project_id or "").replace("$(tenant_id)s", project_id or "")
        entry = found.setdefault(row["service"], {"id": row["service"], "type": row["type"], "name": row["name"],
                                                  "endpoints": []})
        entry["endpoints"].append({"id": row["id"], "interface": row["interface"], "region": row["region_id"],
                                   "region_id": row["region_id"], "url": url})
    return list(found.values())

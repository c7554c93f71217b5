"""Authentication: methods and scope in, signed token and its body out."""

import datetime
import secrets
import time

import sqlalchemy as sa

from common import errors, tokens
from common.context import Context
from common.db import many, one
from identity.db import endpoint_filter, grants, models, trusts


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


def _named(ref: dict, table, extra: dict):
    """The WHERE of a reference by id, or by name within a domain."""
    if "id" in ref:
        return table.c.id == ref["id"]
    domain = ref.get("domain") or extra
    by_domain = (models.domains.c.id == domain["id"] if "id" in domain
                 else models.domains.c.name == domain.get("name", ""))
    return sa.and_(table.c.name == ref.get("name", ""), by_domain)


def _find(connection, table, where) -> dict | None:
    d = models.domains
    return one(connection, sa.select(table, d.c.name.label("domain_name"), d.c.enabled.label("domain_enabled"))
               .join(d, d.c.id == table.c.domain_id).where(where))


class Authenticator:
    """Check credentials and make contexts.

    :param service: the identity service (db, passwords, keys, verifier, conf)
    """

    def __init__(self, service):
        self.service = service

    def authenticate(self, auth: dict, request: Context) -> tuple[Context, str]:
        """Every method that is named must succeed, and all for the same user.

        :param auth: the ``auth`` object of the request, schema-checked
        :returns: (context of the new token, signed token)
        :raises Unauthorized: for every wrong credential or scope alike
        """
        identity = auth["identity"]
        methods = set(identity["methods"])
        if methods == {"application_credential"}:
            return self._by_application_credential(auth, request)
        if not methods <= {"password", "token"}:
            raise errors.Unauthorized()
        users, parent = [], None
        with self.service.db.reader() as connection:
            if "token" in methods:
                user, parent = self._by_token(connection, identity.get("token") or {})
                users.append(user)
            if "password" in methods:
                users.append(self._user(connection, identity.get("password") or {}))
        if "password" in methods:
            password = identity["password"]["user"].get("password", "")
            self._admit(self.check_password(users[-1], password))
        user = users[0]
        if not user or not user["enabled"] or not user["domain_enabled"] or any(u["id"] != user["id"] for u in users):
            raise errors.Unauthorized()
        wanted = auth.get("scope")
        if isinstance(wanted, dict) and "OS-TRUST:trust" in wanted:
            with self.service.db.writer() as connection:
                user, scope, given = self._trust_scope(connection, user, wanted["OS-TRUST:trust"]["id"])
        else:
            with self.service.db.reader() as connection:
                scope, given = self._scope(connection, user, wanted)
        return self._issue(user, scope, given, sorted(methods), parent, request)

    def for_signer(self, user_id: str, project_id: str, request: Context) -> tuple[Context, str]:
        """A token for a project, for a user who proved himself by an EC2 key. :raises Unauthorized: he may not have it"""
        with self.service.db.reader() as connection:
            user = _find(connection, models.users, models.users.c.id == user_id)
            if not user or not user["enabled"] or not user["domain_enabled"]:
                raise errors.Unauthorized()
            scope, given = self._project_scope(connection, user, {"id": project_id})
        if not given:
            raise errors.Unauthorized()
        return self._issue(user, scope, given, ["ec2credential"], None, request)

    def check_password(self, user: dict | None, password: str) -> dict:
        """The user, if the password is his.

        :raises Unauthorized: it is wrong, or the account is locked; in the time that a right one takes
        """
        rules = self.service.compliance
        # Outside a transaction: the hash takes a quarter of a second. Also where there is no such user.
        right = self.service.passwords.matches(password, user and user["password_hash"])
        if user is None:
            raise errors.Unauthorized()
        if rules.locked(user):
            raise errors.Unauthorized()
        if not right:
            with self.service.db.writer() as connection:
                rules.failed(connection, user)
            raise errors.Unauthorized()
        return user

    def _admit(self, user: dict) -> None:
        """:raises Unauthorized: his password has expired, or he was away for too long"""
        changed = self.service.compliance.admit(user)
        if changed:
            with self.service.db.writer() as connection:
                connection.execute(sa.update(models.users).where(models.users.c.id == user["id"]).values(changed))

    def _by_application_credential(self, auth: dict, request: Context) -> tuple[Context, str]:
        """A token for the credential's project, with its roles as far as its user still has them all."""
        ref = auth["identity"].get("application_credential") or {}
        table = models.application_credentials
        if auth.get("scope"):
            raise errors.Unauthorized()  # its scope is its own
        with self.service.db.reader() as connection:
            where = table.c.id == ref["id"] if "id" in ref else None
            if where is None:
                owner = self._user(connection, ref)
                where = sa.and_(table.c.user_id == (owner["id"] if owner else ""), table.c.name == ref.get("name", ""))
            row = one(connection, sa.select(table).where(where))
        if not self.service.passwords.matches(ref.get("secret", ""), row and row["secret_hash"]) or row is None:
            raise errors.Unauthorized()
        with self.service.db.reader() as connection:
            user = _find(connection, models.users, models.users.c.id == row["user_id"])
            rule, link = models.access_rules, models.application_credential_rules
            rules = connection.execute(sa.select(rule.c.service, rule.c.method, rule.c.path).join(
                link, link.c.access_rule_id == rule.c.id).where(link.c.application_credential_id == row["id"])).all()
            alive = row["expires_at"] is None or row["expires_at"] > time.time()
            if not user or not user["enabled"] or not user["domain_enabled"] or not alive:
                raise errors.Unauthorized()
            scope, has = self._project_scope(connection, user, {"id": row["project_id"]})
        given = [r for r in has if r["id"] in row["roles"]]
        if len(given) != len(row["roles"]):
            raise errors.Unauthorized()
        scope.update(app_credential=(row["id"], not row["unrestricted"]),
                     access_rules=tuple(map(tuple, rules)) if row["access_restricted"] else None)
        return self._issue(user, scope, given, ["application_credential"], None, request, until=row["expires_at"])

    def _by_token(self, connection, ref: dict):
        parent = self.service.verifier.check(ref.get("id", ""))
        if parent.trust or parent.app_credential:
            kind = "a trust" if parent.trust else "an application credential"
            raise errors.Forbidden(f"A token of {kind} cannot be made into another.")
        return _find(connection, models.users, models.users.c.id == parent.user_id), parent

    def _user(self, connection, ref: dict):
        return _find(connection, models.users, _named(ref.get("user") or {}, models.users, {}))

    def _scope(self, connection, user: dict, scope) -> tuple[dict, list[dict]]:
        """(context fields of the scope, roles)."""
        explicit = scope is not None
        if scope == "unscoped" or (isinstance(scope, dict) and "unscoped" in scope):
            return {}, []
        if not explicit:
            if not user["default_project_id"]:
                return {}, []
            scope = {"project": {"id": user["default_project_id"]}}
        if "project" in scope:
            fields, given = self._project_scope(connection, user, scope["project"])
        elif "domain" in scope:
            fields, given = self._domain_scope(connection, user, scope["domain"])
        elif "system" in scope:
            fields, given = {"system": True}, grants.roles_on(connection, user["id"], "system", "all")
        else:
            raise errors.BadRequest("The scope must name a project, a domain or the system.")
        if not given:
            if explicit:
                raise errors.Unauthorized()
            return {}, []
        return fields, given

    def _project_scope(self, connection, user, ref):
        project = _find(connection, models.projects, _named(ref, models.projects, {}))
        if not project or not project["enabled"] or not project["domain_enabled"]:
            return {}, []
        fields = {"project_id": project["id"], "project_name": project["name"],
                  "project_domain_id": project["domain_id"], "project_domain_name": project["domain_name"]}
        return fields, grants.roles_on(connection, user["id"], "project", project["id"])

    def _trust_scope(self, connection, trustee: dict, trust_id: str) -> tuple[dict, dict, list[dict]]:
        """(the user that the token names, context fields, roles). Everything must hold now, not when trust was given."""
        trust = trusts.find(connection, trust_id)
        if trust is None or trust["trustee_user_id"] != trustee["id"] or not trusts.use(connection, trust):
            raise errors.Unauthorized()
        trustor = _find(connection, models.users, models.users.c.id == trust["trustor_user_id"])
        if not trustor or not trustor["enabled"] or not trustor["domain_enabled"]:
            raise errors.Unauthorized()
        fields: dict = {"trust": (trust["id"], trustor["id"], trustee["id"])}
        given: list[dict] = []
        if trust["project_id"]:
            scope, has = self._project_scope(connection, trustor, {"id": trust["project_id"]})
            given = [r for r in has if r["id"] in trust["roles"]]
            if len(given) != len(trust["roles"]):
                raise errors.Unauthorized()  # the trustor has lost a role since
            fields.update(scope)
        return trustor if trust["impersonation"] else trustee, fields, given

    def _domain_scope(self, connection, user, ref):
        where = models.domains.c.id == ref["id"] if "id" in ref else models.domains.c.name == ref.get("name", "")
        domain = one(connection, sa.select(models.domains).where(where))
        if not domain or not domain["enabled"]:
            return {}, []
        return ({"domain_id": domain["id"], "domain_name": domain["name"]},
                grants.roles_on(connection, user["id"], "domain", domain["id"]))

    def _issue(self, user, scope, given, methods, parent, request, until: float | None = None):
        """:param until: when what the token is made of ends"""
        issued = time.time()
        expires = min(issued + self.service.conf.identity.token_expiration, until or float("inf"))
        audit = [secrets.token_urlsafe(16)]
        if parent is not None:
            expires = min(expires, parent.expires_at)  # rescoping never lengthens life
            audit.append(parent.audit_ids[-1])
            methods = sorted(set(methods) | set(parent.methods))
        ctx = Context(request_id=request.request_id, global_request_id=request.global_request_id,
                      user_id=user["id"], user_name=user["name"], user_domain_id=user["domain_id"],
                      user_domain_name=user["domain_name"], roles=tuple(r["name"] for r in given),
                      audit_ids=tuple(audit), methods=tuple(methods), issued_at=issued, expires_at=expires, **scope)
        key_id, key = self.service.keys.signing()
        return ctx, tokens.sign(ctx, key, key_id)


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

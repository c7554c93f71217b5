"""Authentication: validates methods and scope, and issues signed tokens.

Checking a secret takes a quarter of a second. The content of a token is read after that, regardless of what was read
before, and the token's issue time is before that reading: a revocation covers all tokens issued until then.
"""

import secrets
import time

import sqlalchemy as sa

from common import errors, tokens, units
from common.context import Context
from common.db import one
from identity import receipts, totp
from identity.compliance import options_of
from identity.db import grants, models, trusts, used_proofs


def _named(ref: dict, table):
    """The WHERE of a reference by id, or by name within a domain."""
    if "id" in ref:
        return table.c.id == ref["id"]
    domain = ref.get("domain") or {}
    by_domain = (models.domains.c.id == domain["id"] if "id" in domain
                 else models.domains.c.name == domain.get("name", ""))
    return sa.and_(table.c.name == ref.get("name", ""), by_domain)


def _find(connection, table, where) -> dict | None:
    d = models.domains
    return one(connection, sa.select(table, d.c.name.label("domain_name"), d.c.enabled.label("domain_enabled"))
               .join(d, d.c.id == table.c.domain_id).where(where))


def _active(user: dict | None) -> dict:
    """:raises Unauthorized: there is no such user, or the user or the domain is disabled"""
    if not user or not user["enabled"] or not user["domain_enabled"]:
        raise errors.Unauthorized()
    return user


def _active_user(connection, user_id: str) -> dict:
    return _active(_find(connection, models.users, models.users.c.id == user_id))


def _check_there(connection, table, row: dict) -> None:
    """:raises Unauthorized: the credential that was checked has been deleted or changed since"""
    if one(connection, sa.select(table).where(table.c.id == row["id"])) != row:
        raise errors.Unauthorized()


def _still(has: list[dict], role_ids: list[str]) -> list[dict]:
    """The delegated roles.

    :raises Unauthorized: the delegating user has lost one of them
    """
    given = [r for r in has if r["id"] in role_ids]
    if len(given) != len(role_ids):
        raise errors.Unauthorized()
    return given


def _is_unscoped(scope) -> bool:
    return scope == "unscoped" or isinstance(scope, dict) and "unscoped" in scope


def _names_trust(scope) -> bool:
    return isinstance(scope, dict) and "OS-TRUST:trust" in scope


def _check_rescope(parent: Context | None, scope) -> None:
    """:raises Forbidden: a system-scoped token requests another scope; the default project counts as one"""
    if parent is not None and parent.system and not (_is_unscoped(scope) or isinstance(scope, dict) and "system" in scope):
        raise errors.Forbidden("A system-scoped token cannot be rescoped to a project or a domain.")


class Authenticator:
    """Validates credentials and creates contexts.

    :param service: the identity service (db, passwords, keys, verifier, conf)
    """

    def __init__(self, service):
        self.service = service

    def authenticate(self, auth: dict, request: Context, receipt: str | None = None) -> tuple[Context, str]:
        """Every method in the request must succeed, for the same user.

        :param auth: the ``auth`` object of the request, schema-checked
        :param receipt: of an earlier login with some of the methods that the user's rules require
        :returns: (context of the new token, signed token)
        :raises Unauthorized: the same for every wrong credential or scope
        :raises receipts.Incomplete: everything is correct, but the user's rules require more methods
        """
        identity = auth["identity"]
        methods = set(identity["methods"])
        if methods == {"application_credential"}:
            return self._by_application_credential(auth, request)
        if not methods <= {"password", "token", "totp"}:
            raise errors.Unauthorized()
        user, parent = self._proved(identity, methods)
        had = receipts.check(self.service, receipt) if receipt else None
        if had and had.user_id != user["id"]:
            raise errors.Unauthorized()
        methods |= set(had.methods if had else ())
        self._check_rules(user, methods | set(parent.methods if parent else ()))
        wanted = auth.get("scope")
        _check_rescope(parent, wanted)
        since = time.time()
        user, scope, given, until = self._scoped(user, had, wanted)
        return self._issue(user, scope, given, sorted(methods), parent, request, since=since, until=until)

    @units.unit
    def _scoped(self, user: dict, had, wanted) -> tuple:
        """(user, scope, roles, end) of the requested token.

        One transaction: if the scope is refused, the receipt and the trust's remaining uses are unchanged.

        :raises Unauthorized: also if the user was disabled, or got another password, after authentication
        """
        with self.service.db.writer() if had or _names_trust(wanted) else self.service.db.reader() as connection:
            user = self.still_proved(connection, user)
            if had:
                used_proofs.use(connection, "receipt", had.id, had.expires_at)
            if isinstance(wanted, dict) and _names_trust(wanted):
                return self._trust_scope(connection, user, wanted["OS-TRUST:trust"]["id"])
            return (user, *self._scope(connection, user, wanted), None)

    def _proved(self, identity: dict, methods: set[str]) -> tuple[dict, Context | None]:
        """(the user that all methods authenticate, the context of the token in the request)"""
        users, parent = [], None
        with self.service.db.reader() as connection:
            if "token" in methods:
                user, parent = self._by_token(connection, identity.get("token") or {})
                users.append(user)
            if "totp" in methods:
                users.append(self._user(connection, identity.get("totp") or {}))
        if "password" in methods:
            user = self._by_password(identity["password"]["user"])
            users.append(user)
        user = users[-1]
        if any((u and u["id"]) != (user and user["id"]) for u in users):
            raise errors.Unauthorized()
        if "totp" in methods:
            self._check_passcode(user, identity["totp"]["user"].get("passcode", ""))
        user = _active(user)
        if methods != {"token"}:
            self._admit(user)
        return user, parent

    @staticmethod
    def still_proved(connection, user: dict) -> dict:
        """The current row of a user whose password was correct. :raises Unauthorized: the password has changed since"""
        now = _active_user(connection, user["id"])
        if now["password_hash"] != user["password_hash"]:
            raise errors.Unauthorized()
        return now

    def _by_password(self, ref: dict) -> dict:
        """The user with this name and password, in the database or in the domain's directory."""
        with self.service.db.reader() as connection:
            user = self._user(connection, {"user": ref})
            domain_id = user["domain_id"] if user else self._domain_of(connection, ref)
        if user is None or user["external"]:
            directory = self.service.directories.of(domain_id) if domain_id else None
            if directory is not None:
                name = user["name"] if user else ref.get("name", "")
                user_id = self.service.directories.login(directory, name, ref.get("password", ""))
                with self.service.db.reader() as connection:
                    return _find(connection, models.users, models.users.c.id == user_id) or {}
        return self.check_password(user, ref.get("password", ""))

    @staticmethod
    def _domain_of(connection, ref: dict) -> str | None:
        domain = ref.get("domain") or {}
        if "id" in ref or "id" in domain:
            return domain.get("id")
        return connection.execute(sa.select(models.domains.c.id).where(models.domains.c.name == domain.get("name", ""))).scalar()

    def _check_rules(self, user: dict, methods: set[str]) -> None:
        rules = receipts.missing(options_of(user), methods)
        if rules:
            raise receipts.issue(self.service, user, methods, rules)

    def _check_passcode(self, user: dict | None, given: str) -> None:
        """:raises Unauthorized: wrong, used before, or the account is locked (six digits could be guessed otherwise)"""
        if not self.service.db.transact(self._use_passcode, user["id"] if user else "", given):
            raise errors.Unauthorized()

    def _use_passcode(self, connection, user_id: str, given: str) -> bool:
        """The user's row is locked, so that concurrent guesses are counted one by one."""
        rules = self.service.compliance
        user = _find(connection, models.users, models.users.c.id == user_id)
        locked = user is None or rules.locked(user)
        # take the same time as for an existing user
        right = totp.use(connection, self.service.vault, "" if locked else user_id, given,
                         self.service.conf.totp.included_previous_windows)
        if user is not None and not locked and not right:
            rules.failed(connection, user)
        return right

    def for_consumer(self, access: dict, request: Context) -> tuple[Context, str]:
        """An OAuth token for the user who authorized the consumer, with those of the authorized roles that the user
        still has.

        :param access: the access token's row
        """
        since = time.time()
        with self.service.db.reader() as connection:
            _check_there(connection, models.oauth_tokens, access)
            user = _active_user(connection, access["user_id"])
            scope, has = self._project_scope(connection, user, {"id": access["project_id"]})
        given = _still(has, access["roles"])
        self._check_rules(user, {"oauth1"})
        scope["oauth"] = (access["id"], access["consumer_id"])
        return self._issue(user, scope, given, ["oauth1"], None, request, since=since, until=access["expires_at"])

    def federated(self, idp_id: str, protocol_id: str, said: dict[str, str], request: Context) -> tuple[Context, str]:
        """An unscoped token for a user of an identity provider.

        :param said: the assertion from the front proxy, see identity.federation
        """
        since = time.time()
        user_id = self.service.federation.login(idp_id, protocol_id, said)
        with self.service.db.reader() as connection:
            user = _active_user(connection, user_id)
        return self._issue(user, {"federation": (idp_id, protocol_id)}, [], [protocol_id], None, request, since=since)

    def for_signer(self, credential: dict, chain: str, request: Context) -> tuple[Context, str]:
        """A token for an EC2 credential's user and project, after its signature was verified.

        :param chain: revoking it revokes all tokens of the credential
        :raises Unauthorized: the user may not have it
        """
        since = time.time()
        with self.service.db.reader() as connection:
            _check_there(connection, models.credentials, credential)
            user = _active_user(connection, credential["user_id"])
            scope, given = self._project_scope(connection, user, {"id": credential["project_id"]})
        if not given:
            raise errors.Unauthorized()
        return self._issue(user, scope, given, ["ec2credential"], None, request, since=since, chain=chain)

    def check_password(self, user: dict | None, password: str) -> dict:
        """The user, if the password is correct.

        :raises Unauthorized: it is wrong, or the account is locked; takes as long as with a correct one
        """
        rules = self.service.compliance
        # Outside a transaction, because the hash takes a quarter of a second. Calculated for unknown users too.
        right = self.service.passwords.matches(password, user and user["password_hash"])
        if user is None:
            raise errors.Unauthorized()
        with self.service.db.reader() as connection:
            # Meanwhile, concurrent guesses may have locked the account.
            user = self.still_proved(connection, user)
        if rules.locked(user):
            raise errors.Unauthorized()
        if not right:
            self.service.db.transact(rules.failed, user)
            raise errors.Unauthorized()
        return user

    def _admit(self, user: dict) -> None:
        """:raises Unauthorized: the password has expired, or the account has been inactive for too long"""
        changed = self.service.compliance.admit(user)
        if changed:
            self.service.db.transact(sa.Connection.execute,
                                     sa.update(models.users).where(models.users.c.id == user["id"]).values(changed))

    def _by_application_credential(self, auth: dict, request: Context) -> tuple[Context, str]:
        """A token for the credential's project, with those of its roles that the user still has."""
        ref = auth["identity"].get("application_credential") or {}
        table = models.application_credentials
        if auth.get("scope"):
            raise errors.Unauthorized()  # the scope is that of the credential
        with self.service.db.reader() as connection:
            where = table.c.id == ref["id"] if "id" in ref else None
            if where is None:
                owner = self._user(connection, ref)
                where = sa.and_(table.c.user_id == (owner["id"] if owner else ""), table.c.name == ref.get("name", ""))
            row = one(connection, sa.select(table).where(where))
        if not self.service.passwords.matches(ref.get("secret", ""), row and row["secret_hash"]) or row is None:
            raise errors.Unauthorized()
        since = time.time()
        with self.service.db.reader() as connection:
            _check_there(connection, table, row)
            user = _active_user(connection, row["user_id"])
            rule, link = models.access_rules, models.application_credential_rules
            rules = connection.execute(sa.select(rule.c.service, rule.c.method, rule.c.path).join(
                link, link.c.access_rule_id == rule.c.id).where(link.c.application_credential_id == row["id"])).all()
            if row["expires_at"] is not None and row["expires_at"] <= time.time():
                raise errors.Unauthorized()
            scope, has = self._project_scope(connection, user, {"id": row["project_id"]})
        given = _still(has, row["roles"])
        self._check_rules(user, {"application_credential"})
        scope.update(app_credential=(row["id"], not row["unrestricted"]),
                     access_rules=tuple(map(tuple, rules)) if row["access_restricted"] else None)
        return self._issue(user, scope, given, ["application_credential"], None, request, since=since, until=row["expires_at"])

    def _by_token(self, connection, ref: dict):
        self.service.revocations.run_once()  # another worker may just have revoked it
        try:
            parent = self.service.verifier.check(ref.get("id", ""))
        except errors.Unauthorized:
            raise errors.NotFound("Could not find token.") from None  # the same text as in Keystone
        if parent.delegated:
            raise errors.Forbidden(f"A token of {parent.delegated} cannot be used to get another token.")
        return _find(connection, models.users, models.users.c.id == parent.user_id), parent

    def _user(self, connection, ref: dict):
        return _find(connection, models.users, _named(ref.get("user") or {}, models.users))

    def _scope(self, connection, user: dict, scope) -> tuple[dict, list[dict]]:
        """(context fields of the scope, roles)."""
        explicit = scope is not None
        if _is_unscoped(scope):
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
            raise errors.BadRequest("The scope must be a project, a domain or the system.")
        if not given:
            if explicit:
                raise errors.Unauthorized()
            return {}, []
        return fields, given

    def _project_scope(self, connection, user, ref):
        project = _find(connection, models.projects, _named(ref, models.projects))
        if not project or not project["enabled"] or not project["domain_enabled"]:
            return {}, []
        fields = {"project_id": project["id"], "project_name": project["name"],
                  "project_domain_id": project["domain_id"], "project_domain_name": project["domain_name"]}
        return fields, grants.roles_on(connection, user["id"], "project", project["id"])

    def _trust_scope(self, connection, trustee: dict, trust_id: str) -> tuple[dict, dict, list[dict], float | None]:
        """(the token's user, context fields, roles, end of the trust). All conditions are checked now, not only when
        the trust was created."""
        trust = trusts.find(connection, trust_id)
        if trust is None or trust["trustee_user_id"] != trustee["id"] or not trusts.use(connection, trust):
            raise errors.Unauthorized()
        trustor = _active_user(connection, trust["trustor_user_id"])
        fields: dict = {"trust": (trust["id"], trustor["id"], trustee["id"])}
        given: list[dict] = []
        if trust["project_id"]:
            scope, has = self._project_scope(connection, trustor, {"id": trust["project_id"]})
            given = _still(has, trust["roles"])
            fields.update(scope)
        ends = [*([trust["expires_at"]] if trust["expires_at"] else []), *grants.holds_until(connection, trustor["id"])]
        return trustor if trust["impersonation"] else trustee, fields, given, min(ends, default=None)

    def _domain_scope(self, connection, user, ref):
        where = models.domains.c.id == ref["id"] if "id" in ref else models.domains.c.name == ref.get("name", "")
        domain = one(connection, sa.select(models.domains).where(where))
        if not domain or not domain["enabled"]:
            return {}, []
        return ({"domain_id": domain["id"], "domain_name": domain["name"]},
                grants.roles_on(connection, user["id"], "domain", domain["id"]))

    def _issue(self, user, scope, given, methods, parent, request, *, since: float, until: float | None = None,
               chain: str | None = None):
        """:param since: the time before the token's content was read
        :param until: the earliest end of what the token is derived from
        :param chain: the chain of the token, if not that of the token in the request
        """
        ends = [] if until is None else [until]
        if given and user["external"]:
            with self.service.db.reader() as connection:
                ends += grants.holds_until(connection, user["id"])
        expires = min([since + self.service.conf.identity.token_expiration, *ends])
        audit = [secrets.token_urlsafe(16), *([chain] if chain else [])]
        if parent is not None:
            expires = min(expires, parent.expires_at)  # rescoping does not extend the lifetime
            audit.append(parent.audit_ids[-1])
            methods = sorted(set(methods) | set(parent.methods))
            scope = {**scope, "federation": parent.federation}
        ctx = Context(request_id=request.request_id, global_request_id=request.global_request_id,
                      user_id=user["id"], user_name=user["name"], user_domain_id=user["domain_id"],
                      user_domain_name=user["domain_name"], roles=tuple(r["name"] for r in given),
                      audit_ids=tuple(audit), methods=tuple(methods), issued_at=since, expires_at=expires,
                      logged_in_at=parent.logged_in_at if parent else since, **scope)
        key_id, key = self.service.keys.signing()
        return ctx, tokens.sign(ctx, key, key_id)

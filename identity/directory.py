"""Users and groups of a domain in LDAP, which is only read.

They are mirrored in the tables of users, groups and memberships, so that roles, tokens and trusts work as for other
users. A user is updated at each login, a domain when its users or groups are listed. Users who have been deleted from
the directory are disabled and their tokens revoked; they keep their roles, in case the directory was incorrect. A
user's id is a digest of the domain and of the user's permanent id in the directory.

Users and groups that were created in the database are independent of the directory, and keep their names.
"""

import contextlib
import hashlib
import logging
import re
import ssl
import typing

import sqlalchemy as sa

from common import errors, units
from common.calls import Call
from common.db import many, one
from identity import domain_config
from identity.db import models

LOG = logging.getLogger(__name__)
USERS, GROUPS, MEMBERS = models.users, models.groups, models.memberships
_TRUE = ("true", "yes", "1", "on")


def public_id(domain_id: str, kind: str, local_id: str) -> str:
    return hashlib.sha256(f"{domain_id}{kind}{local_id}".encode()).hexdigest()


class Entry(typing.NamedTuple):
    """A user or a group of the directory. ``members``: DNs, or ids if the directory's groups contain ids."""

    dn: str
    local_id: str
    name: str
    description: str | None
    email: str | None = None
    enabled: bool = True
    members: tuple[str, ...] = ()


class Directory:
    """The directory of a domain.

    :param options: the group ``ldap`` of its configuration, completed by the service's values
    """

    def __init__(self, domain_id: str, options: dict):
        self.domain_id, self.options = domain_id, options

    @contextlib.contextmanager
    def _connection(self, user: str | None, password: str | None):
        """A bound connection. :raises ServiceUnavailable: no server answers; :raises Unauthorized: the password is wrong"""
        import ldap3  # imported late, because it uses memory and few clouds need it
        from ldap3.core import exceptions
        of = self.options
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED if of["tls_req_cert"] == "demand" else ssl.CERT_NONE,
                        ca_certs_file=of["tls_cacertfile"])
        servers = [ldap3.Server(url.strip(), tls=tls, get_info=ldap3.NONE, connect_timeout=of["connection_timeout"])
                   for url in of["url"].split(",")]
        connection = ldap3.Connection(ldap3.ServerPool(servers, ldap3.FIRST, active=1, exhaust=False), user=user,
                                      password=password, read_only=True, raise_exceptions=True, check_names=False,
                                      receive_timeout=of["connection_timeout"], auto_referrals=False)
        try:
            connection.open()
            if of["use_tls"]:
                connection.start_tls()
            connection.bind()
            yield connection
        except exceptions.LDAPInvalidCredentialsResult:
            raise errors.Unauthorized() from None
        except exceptions.LDAPException as error:
            raise errors.ServiceUnavailable(part="the directory of the domain", internal=f"{of['url']}: {error}") from error
        finally:
            with contextlib.suppress(exceptions.LDAPException):
                connection.unbind()

    def _search(self, kind: str, extra: str = "") -> list[dict]:
        """[{"dn", "attributes"}] of the entries of a kind that also pass the filter ``extra``."""
        import ldap3
        from ldap3.core.exceptions import LDAPNoSuchObjectResult
        of = self.options
        tree = of[f"{kind}_tree_dn"] or f"ou={'Users' if kind == 'user' else 'UserGroups'},{of['suffix']}"
        wanted = f"(&(objectClass={of[f'{kind}_objectclass']}){of[f'{kind}_filter'] or ''}{extra})"
        names = [v for k, v in of.items() if k.startswith(f"{kind}_") and k.endswith("_attribute") and v]
        with self._connection(of["user"], of["password"]) as connection:
            try:
                found = connection.extend.standard.paged_search(
                    tree, wanted, ldap3.SUBTREE if of["query_scope"] == "sub" else ldap3.LEVEL, attributes=names,
                    paged_size=of["page_size"], generator=False)
            except LDAPNoSuchObjectResult:
                if kind == "user":
                    raise  # a missing tree is an error of the directory, not an empty list
                return []
        return [e for e in found if e["type"] == "searchResEntry"]

    def _first(self, entry: dict, attribute: str | None) -> str | None:
        values = entry["attributes"].get(attribute) if attribute else None
        value = values[0] if isinstance(values, list) and values else values or None
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value if value is None else str(value)

    def _enabled(self, entry: dict) -> bool:
        of = self.options
        if not of["user_enabled_attribute"]:
            return True
        value = self._first(entry, of["user_enabled_attribute"]) or of["user_enabled_default"]
        if of["user_enabled_mask"]:
            return not (int(value) if re.fullmatch("[0-9]{1,19}", value) else 0) & of["user_enabled_mask"]
        return (value.lower() in _TRUE) != of["user_enabled_invert"]

    def _users(self, extra: str = "") -> list[Entry]:
        of, found = self.options, []
        for e in self._search("user", extra):
            local, name = self._first(e, of["user_id_attribute"]), self._first(e, of["user_name_attribute"])
            if local and name:
                found.append(Entry(e["dn"], local, name, self._first(e, of["user_description_attribute"]),
                                   self._first(e, of["user_mail_attribute"]), self._enabled(e)))
        return found

    def users(self) -> list[Entry]:
        return self._users()

    def user(self, name: str) -> Entry | None:
        return next(iter(self._users(f"({self.options['user_name_attribute']}={_escaped(name)})")), None)

    def groups(self, member: Entry | None = None) -> list[Entry]:
        """All groups, or those of a user."""
        of, attribute = self.options, self.options["group_member_attribute"]
        extra = f"({attribute}={_escaped(self.member_name(member))})" if member else ""
        found = []
        for e in self._search("group", extra):
            local, name = self._first(e, of["group_id_attribute"]), self._first(e, of["group_name_attribute"])
            if local and name:
                found.append(Entry(e["dn"], local, name, self._first(e, of["group_desc_attribute"]),
                                   members=tuple(str(m) for m in e["attributes"].get(attribute) or [])))
        return found

    def member_name(self, user: Entry) -> str:
        """The value by which groups refer to a user."""
        return user.local_id if self.options["group_members_are_ids"] else user.dn

    def prove(self, user: Entry | None, password: str) -> None:
        """:raises Unauthorized: there is no such user, or the password is wrong"""
        if not password:
            raise errors.Unauthorized()  # a bind without a password succeeds: it is anonymous (RFC 4513, 5.1.2)
        # Also for unknown users, so that the response time does not reveal which exist.
        with self._connection(user.dn if user else f"cn=nobody,{self.options['suffix']}", password):
            if user is None:
                raise errors.Unauthorized()


def _escaped(text: str) -> str:
    from ldap3.utils.conv import escape_filter_chars
    return escape_filter_chars(text)


class Directories:
    """:param service: the identity service"""

    def __init__(self, service):
        self.service = service

    def of(self, domain_id: str) -> Directory | None:
        """The directory of a domain's users; None: they are in the database."""
        with self.service.db.reader() as connection:
            config = domain_config.read(connection, self.service.vault, domain_id, secrets=True)
        if config.get("identity", {}).get("driver") != "ldap":
            return None
        given, known = config.get("ldap", {}), domain_config.OPTIONS["ldap"]
        return Directory(domain_id, {n: o.type(str(given[n])) if given.get(n) is not None else self.service.conf.ldap[n]
                                     for n, o in known.items()})

    def refuse_writes(self, domain_id: str) -> None:
        """:raises Forbidden: the domain's users and groups are in a directory, which is read-only"""
        if self.of(domain_id) is not None:
            raise errors.Forbidden("Users and groups of this domain are managed in a directory and must be changed there.")

    def refuse_change(self, row: dict, names=()) -> None:
        """:raises Forbidden: the change of a mirrored row includes columns that come from the directory
        :param names: columns that do not
        """
        ours = {"options", "default_project_id", "id"}
        if row["external"] and not set(names) <= ours and self.of(row["domain_id"]) is not None:
            raise errors.Forbidden("Users and groups of this domain are managed in a directory and must be changed there.")

    def listed(self, call: Call, noun, query: typing.Mapping[str, list[str]]) -> tuple[list[dict], bool]:
        """(the updated list of a resource, limited by the domain's ``list_limit``; whether it was truncated)

        :param query: {name: values} of the request
        """
        noun.check_list(call, query)
        domain_id = call.ctx.domain_id or query.get("domain_id", [None])[-1]
        self.refresh(domain_id)
        found = noun.listed(call, query)
        limit = self._limit(domain_id)
        return (found[:limit], True) if limit and len(found) > limit else (found, False)

    def _limit(self, domain_id: str | None) -> int | None:
        if not domain_id:
            return self.service.conf.identity.list_limit
        with self.service.db.reader() as connection:
            config = domain_config.read(connection, self.service.vault, domain_id)
        given = config.get("identity", {}).get("list_limit")
        return int(given) if given is not None else self.service.conf.identity.list_limit

    @units.unit
    def login(self, directory: Directory, name: str, password: str) -> str:
        """The id of the user with this name and password; the user's groups are updated.

        :raises Unauthorized: wrong name or password
        """
        entry = directory.user(name)
        directory.prove(entry, password)
        assert entry is not None
        groups = directory.groups(entry)
        with self.service.db.writer() as connection:
            user_id = self._mirror_user(connection, directory, entry)
            if user_id is None:
                raise errors.Unauthorized()
            self._member_of(connection, user_id, [self._mirror_group(connection, directory, g) for g in groups])
        return user_id

    @units.unit
    def refresh(self, domain_id: str | None) -> None:
        """Update the mirror of a domain; does nothing if its users are in the database."""
        directory = self.of(domain_id) if domain_id else None
        if directory is None:
            return
        users, groups = directory.users(), directory.groups()
        with self.service.db.writer() as connection:
            mirrored = {directory.member_name(u): self._mirror_user(connection, directory, u) for u in users}
            ids = {name: id for name, id in mirrored.items() if id is not None}
            held: dict[str, list[str | None]] = {user_id: [] for user_id in ids.values()}
            for group in groups:
                group_id = self._mirror_group(connection, directory, group)
                for member in group.members:
                    if member in ids:
                        held[ids[member]].append(group_id)
            for user_id, group_ids in held.items():
                self._member_of(connection, user_id, group_ids)
            self._gone(connection, directory, set(ids.values()))
        self.service.revocations.run_once()

    # The mirror -------------------------------------------------------------

    def _mirror_user(self, connection, directory: Directory, entry: Entry) -> str | None:
        """The user's id; None: a user in the database has the same name."""
        id = public_id(directory.domain_id, "user", entry.local_id)
        values = {"name": entry.name, "email": entry.email, "description": entry.description, "enabled": entry.enabled}
        known = one(connection, sa.select(USERS).where(USERS.c.id == id))
        if not self._free_name(connection, USERS, directory.domain_id, entry.name, id):
            return None
        if known is None:
            connection.execute(sa.insert(USERS).values(id=id, domain_id=directory.domain_id, failed_logins=0, external=True,
                                                       **values))
        elif any(known[k] != v for k, v in values.items()):
            connection.execute(sa.update(USERS).where(USERS.c.id == id).values(values))
            if known["enabled"] and not entry.enabled:
                self.service.revoke(connection, user_id=id)
        return id

    def _mirror_group(self, connection, directory: Directory, entry: Entry) -> str | None:
        id = public_id(directory.domain_id, "group", entry.local_id)
        values = {"name": entry.name[:64], "description": entry.description or ""}
        if not self._free_name(connection, GROUPS, directory.domain_id, values["name"], id):
            return None
        known = one(connection, sa.select(GROUPS).where(GROUPS.c.id == id))
        if known is None:
            connection.execute(sa.insert(GROUPS).values(id=id, domain_id=directory.domain_id, external=True, **values))
        elif any(known[k] != v for k, v in values.items()):
            connection.execute(sa.update(GROUPS).where(GROUPS.c.id == id).values(values))
        return id

    @staticmethod
    def _free_name(connection, table, domain_id: str, name: str, id: str) -> bool:
        """Whether a name is available. A mirrored user whose name in the directory has changed is renamed to the id."""
        other = one(connection, sa.select(table.c.id, table.c.external).where(
            table.c.domain_id == domain_id, table.c.name == name, table.c.id != id))
        if other is None:
            return True
        if not other["external"]:
            LOG.warning("%s: %s of the directory of domain %s is ignored: the name is in use", table.name, name, domain_id)
            return False
        connection.execute(sa.update(table).where(table.c.id == other["id"]).values(name=other["id"][:64]))
        return True

    def _member_of(self, connection, user_id: str, group_ids: list) -> None:
        wanted = {g for g in group_ids if g is not None}
        had = set(connection.execute(sa.select(MEMBERS.c.group_id).join(GROUPS, GROUPS.c.id == MEMBERS.c.group_id).where(
            MEMBERS.c.user_id == user_id, GROUPS.c.external)).scalars())
        for group_id in wanted - had:
            connection.execute(sa.insert(MEMBERS).values(user_id=user_id, group_id=group_id))
        lost = had - wanted
        if lost:
            connection.execute(sa.delete(MEMBERS).where(MEMBERS.c.user_id == user_id, MEMBERS.c.group_id.in_(lost)))
            self.service.revoke(connection, user_id=user_id)

    def _gone(self, connection, directory: Directory, present: set[str]) -> None:
        for row in many(connection, sa.select(USERS.c.id).where(
                USERS.c.domain_id == directory.domain_id, USERS.c.enabled, USERS.c.external)):
            if row["id"] not in present:
                connection.execute(sa.update(USERS).where(USERS.c.id == row["id"]).values(enabled=False))
                self._member_of(connection, row["id"], [])
                self.service.revoke(connection, user_id=row["id"])

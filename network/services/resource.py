"""The common requests of network resources: list, show, create (one or many), update and delete.

An ``Attribute`` describes what clients may send; the module of the resource carries out changes. Attribute ``a:b`` is
column ``a_b``.

Access is checked by the rules of ``network/policies``: ``update_port``, and for each attribute in a request
``update_port:fixed_ips`` and ``update_port:fixed_ips:ip_address``, if there are such rules. A caller that may not
show a resource gets 404 for every change of it.
"""

import dataclasses
import typing

from common import db, errors, rows, schema, values
from common.calls import Call
from network import parsing
from network.db import quotas, revisions
from network.db.groups import base
from network.services import listing, tags
from network.services.listing import column
from network.services.work import Work, commit


@dataclasses.dataclass(frozen=True)
class Attribute:
    """``default`` REQUIRED: must be sent. ``update``: can be changed. ``parse``: (raw, name) -> stored value; not
    called for null.

    The policy rule with its name, if there is one, is checked if a request contains it; for a new resource only if
    the value differs from the default, or if ``asked``.
    """

    schema: dict
    default: typing.Any = None
    update: bool = True
    parse: typing.Callable[[typing.Any, str], typing.Any] | None = None
    asked: bool = False


REQUIRED = object()
_PROJECT = {"type": ["string", "null"], "maxLength": 64}
COMMON = {"name": Attribute({"type": "string", "maxLength": 255}, "", parse=parsing.text),
          "description": Attribute({"type": "string", "maxLength": 255}, "", parse=parsing.description),
          "project_id": Attribute(_PROJECT, None, update=False, parse=values.identifier),
          "tenant_id": Attribute(_PROJECT, None, update=False, parse=values.identifier)}


def flag(default, *, update: bool = True, asked: bool = False) -> Attribute:
    """A Boolean attribute; as in OpenStack, 1 and 0 are accepted too."""
    return Attribute({"enum": [*schema.BOOLEAN["enum"], 1, 0]}, default, update=update, parse=values.boolean, asked=asked)


class Resource:
    """One noun. Subclasses fill the class attributes and the hooks."""

    singular = ""
    plural = ""
    table: rows.Table
    kind = ""  # as in error types: "Network", "Port"
    attributes: dict[str, Attribute] = {}
    more_filters: tuple[str, ...] = ()  # columns for filters of lists, besides those of attributes
    quota: str | None = None
    shared_filter: typing.Any = None  # WHERE of rows that are visible to everybody
    named = True

    def __init__(self):
        self._hiding_rules: list[str] | None = None
        self.known = {**{n: a for n, a in COMMON.items() if self.named or n != "name"}, **self.attributes}
        properties = {n: a.schema for n, a in self.known.items()}
        required = [n for n, a in self.attributes.items() if a.default is REQUIRED]
        self._create = schema.compiled(schema.obj(properties, required))
        changeable = {n: a.schema for n, a in self.known.items() if a.update}
        self._update = schema.compiled(schema.obj(changeable))

    # Hooks ------------------------------------------------------------------

    def view(self, row: dict) -> dict:
        raise AssertionError("a resource must implement view")

    def complete(self, connection, found: list[dict]) -> list[dict]:
        """Add what is in other tables, with a constant number of statements."""
        return found

    def insert(self, work: Work, values: dict) -> dict:
        """Write one row and what belongs to it; returns the complete row."""
        rows.insert(work.connection, self.table, values)
        return values

    def change(self, work: Work, old: dict, values: dict) -> dict:
        """Check and carry out an update; returns the columns to write."""
        return values

    def writes_parts(self, given: dict) -> bool:
        """Whether ``change`` with these attributes may write anything besides the columns that it returns."""
        return True

    def remove(self, work: Work, row: dict) -> None:
        """Refuse, or remove what belongs to the row."""

    def concern(self, work: Work, before: list[dict], after: list[dict]) -> None:
        """Record in ``work.changes`` the hosts that are affected by changed, new (no ``before``) or deleted rows,
        within the transaction."""

    def after(self, work: Work, verb: str, found: list[dict]) -> list[dict]:
        """After the commit of ``work``: notify agents. Returns the rows to show."""
        return found

    def target_of(self, row: dict) -> dict:
        """The target of policy checks for an existing row: its project, and other attributes that rules refer to."""
        return {"project_id": row["project_id"]}

    def target(self, work: Work, owner: str | None, given: dict, row: dict | None) -> dict:
        """The target of policy checks for a row with the attributes of a request.

        :param owner: the project that it has or will have
        :param row: the resource that is to be changed or deleted; None for a new one
        """
        return {"project_id": owner} if row is None else self.target_of(row)

    def extra_filter(self, name: str, values: list[str]):
        """The WHERE of a filter that is not a column, or None."""
        return None

    # Reading ----------------------------------------------------------------

    def visible(self, call: Call):
        """The WHERE of the rows that are read for a caller: those of its project and what is shared, or all of them for
        administrators and services. Rules then decide about each row."""
        if call.svc.policy.sees_all_projects(call.ctx):
            return rows.ALL
        own = self.table.c.project_id == call.ctx.project_id if call.ctx.project_id else rows.NONE
        return own if self.shared_filter is None else rows.any_of(own, self.shared_filter)

    def get(self, work: Work, row_id: str) -> dict:
        """:raises NotFound: the caller sees no such resource"""
        return self.complete(work.connection, [self.row(work, row_id)])[0]

    def row(self, work: Work, row_id: str) -> dict:
        """As ``get``, without what is in other tables."""
        row = rows.find(work.connection, self.table, row_id, self.visible(work))
        if row is None:
            raise self.absent(row_id)
        return row

    def absent(self, row_id: str) -> errors.NotFound:
        return errors.NotFound(f"{self.kind} {row_id} could not be found.", kind=f"{self.kind}NotFound")

    def may_see(self, call: Call, row: dict) -> bool:
        return call.svc.policy.allows(call.ctx, f"get_{self.singular}", self.target_of(row))

    def shown(self, call: Call, row: dict) -> dict:
        """A row as this caller sees it."""
        found = self.fields(row)
        for name in self._hidden(call, row):
            found.pop(name, None)
        return found

    def fields(self, row: dict) -> dict:
        found = {**self.view(row), "id": row["id"], "name": row["name"], "description": row["description"],
                 "project_id": row["project_id"] or "", "tenant_id": row["project_id"] or "",
                 "created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"]),
                 "revision_number": row["revision_number"], "tags": tags.of(row)}
        if not self.named:
            del found["name"]
        return found

    def _hidden(self, call: Call, row: dict) -> set[str]:
        """The attributes of a row that the caller may not see."""
        policy = call.svc.policy
        if self._hiding_rules is None:
            self._hiding_rules = [r for r in policy.names if r.startswith(f"get_{self.singular}:") and not r.endswith(":tags")]
        target = self.target_of(row)
        return {r.partition(":")[2] for r in self._hiding_rules if not policy.allows(call.ctx, r, target)}

    def seen(self, call: Call, name: str):
        """The WHERE of the rows of which the caller may see an attribute; None: of all rows."""
        rule, policy = f"get_{self.singular}:{name}", call.svc.policy
        if rule not in policy.names or policy.allows(call.ctx, rule, {}):
            return None
        return self.table.c.project_id == call.ctx.project_id if policy.allows(call.ctx, rule) else rows.NONE

    def index(self, call: Call, query: listing.Query) -> tuple[list[dict], list[str]]:
        """A page of what the caller sees.

        :returns: the resources, and the ids of all rows of the page, of which some may be hidden from the caller
        """
        with call.svc.db.reader() as connection:
            work = Work.of(call, connection)
            found = self.complete(connection, listing.page(self, work, query))
        return [self.shown(call, r) for r in found if self.may_see(call, r)], [r["id"] for r in found]

    def show(self, call: Call, row_id: str) -> dict:
        """:raises NotFound: the caller sees no such resource"""
        with call.svc.db.reader() as connection:
            row = self.get(Work.of(call, connection), row_id)
        if not self.may_see(call, row):
            raise self.absent(row_id)
        return self.shown(call, row)

    # Writing ----------------------------------------------------------------

    def _parsed(self, given: dict) -> dict:
        """What the client sent, in the stored form."""
        return {n: self.known[n].parse(v, n) if self.known[n].parse and v is not None else v for n, v in given.items()}

    def checked(self, call: Call, given: dict) -> dict:
        """The columns of a new row, with defaults, after the check of the caller's rights. Nothing is created.

        :param given: the attributes as the client sent them
        :raises BadRequest, Forbidden, NotFound: it cannot be created
        """
        self._create(given)
        given = self._parsed(given)
        owner = given.get("project_id") or given.get("tenant_id") or call.ctx.project_id
        if given.get("tenant_id") not in (None, owner):
            raise errors.BadRequest("'project_id' and 'tenant_id' do not match", kind="HTTPBadRequest")
        if owner != call.ctx.project_id and not call.svc.policy.sees_all_projects(call.ctx):
            raise errors.BadRequest("Specifying 'project_id' other than the authenticated project in request is not allowed for "
                                    "the current user.", kind="HTTPBadRequest")
        with call.svc.db.reader() as connection:
            self.authorize(call, "create", given, self.target(Work.of(call, connection), owner, given, None))
        if not owner:
            raise errors.BadRequest("The token is for no project, so project_id must be specified.", kind="HTTPBadRequest")
        found = base(owner, given.get("name", ""), given.get("description", ""))
        found.update({column(n): given.get(n, a.default) for n, a in self.attributes.items()})
        return found

    def authorize(self, call: Call, verb: str, given: dict, target: dict, row: dict | None = None) -> None:
        """Check the rule of a verb, and those of the attributes in the request.

        A new resource may be given a default value explicitly without a check; an update to it is checked.

        :param row: the resource to be changed or deleted
        :raises Forbidden: with the names of all rules that were checked
        :raises NotFound: the caller may not show the row either
        """
        action, policy = f"{verb}_{self.singular}", call.svc.policy
        wanted = [action]
        for name, attribute in self.attributes.items():
            if name in given and (verb != "create" or attribute.asked or given[name] not in (None, attribute.default)):
                wanted.append(f"{action}:{name}")
                parts = given[name] if isinstance(given[name], list) else [given[name]]
                wanted += sorted({f"{action}:{name}:{k}" for p in parts if isinstance(p, dict) for k in p})
        asked = [r for r in wanted if r in policy.names]
        if not all(policy.allows(call.ctx, r, target) for r in asked):
            self.refuse(call, row, *asked)

    def refuse(self, call: Call, row: dict | None, *rules: str) -> typing.NoReturn:
        """:raises NotFound: the caller may not show the row; :raises Forbidden: otherwise"""
        if row is not None and not self.may_see(call, row):
            raise self.absent(row["id"])
        raise call.svc.policy.refused(*rules)

    def check(self, call: Call, rule: str, row: dict) -> None:
        """:raises NotFound, Forbidden: the rule refuses the caller for this row"""
        if not call.svc.policy.allows(call.ctx, rule, self.target_of(row)):
            self.refuse(call, row, rule)

    def create(self, call: Call, wanted: list[dict]) -> list[dict]:
        """Create resources, all of them or none.

        :param wanted: the attributes of each, as the client sent them
        """
        values = [self.checked(call, given) for given in wanted]
        work, made = commit(call, self._insert_all, values)
        shown = [self.shown(call, r) for r in self.after(work, "create", made)]
        for one in shown:
            call.svc.notifier.notify(call.ctx, f"{self.singular}.create.end", {self.singular: one})
        return shown

    def _insert_all(self, work: Work, wanted: list[dict]) -> list[dict]:
        if self.quota:
            for owner in {w["project_id"] for w in wanted}:
                quotas.check(work.connection, work.svc.conf, self.quota, owner,
                             sum(1 for w in wanted if w["project_id"] == owner))
        made = [self.insert(work, dict(w)) for w in wanted]
        self.concern(work, [], made)
        return made

    def update(self, call: Call, row_id: str, given: dict, revision: int | None = None) -> dict:
        """:param revision: change it only if it has this revision
        :raises PreconditionFailed: it has another
        """
        self._update(given)
        work, row = commit(call, self._update_one, row_id, self._parsed(given), revision)
        shown = self.shown(call, self.after(work, "update", [row])[0])
        call.svc.notifier.notify(call.ctx, f"{self.singular}.update.end", {self.singular: shown})
        return shown

    def _update_one(self, work: Work, row_id: str, given: dict, revision: int | None) -> dict:
        connection, old = work.connection, self.get(work, row_id)
        self.authorize(work, "update", given, self.target(work, old["project_id"], given, old), old)
        revisions.check(old, revision)
        new = self.change(work, old, {column(n): v for n, v in given.items()})
        new = {k: v for k, v in new.items() if k in self.table.c}
        whole = {**old, **new}
        if self.writes_parts(given):
            now = rows.get(connection, self.table, row_id, resource=self.kind)
            whole = self.complete(connection, [{**old, **now, **new}])[0]
        if any(whole[k] != v for k, v in old.items() if k not in ("revision_number", "updated_at")):
            new.update(updated_at=db.now(), revision_number=old["revision_number"] + 1)
        rows.update(connection, self.table, row_id, new, resource=self.kind)
        self.concern(work, [old], [{**whole, **new}])
        return {**whole, **new}

    def delete(self, call: Call, row_id: str, revision: int | None = None) -> None:
        """:param revision: as for ``update``"""
        work, row = commit(call, self._delete_one, row_id, revision)
        self.after(work, "delete", [row])
        call.svc.notifier.notify(call.ctx, f"{self.singular}.delete.end", {f"{self.singular}_id": row_id})

    def _delete_one(self, work: Work, row_id: str, revision: int | None) -> dict:
        row = self.get(work, row_id)
        self.authorize(work, "delete", {}, self.target(work, row["project_id"], {}, row), row)
        revisions.check(row, revision)
        self.remove(work, row)
        rows.delete(work.connection, self.table, row_id, resource=self.kind)
        self.concern(work, [row], [])
        return row

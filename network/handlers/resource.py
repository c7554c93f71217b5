"""List, show, create (one or many), update and delete, as every network resource has them.

An ``Attribute`` describes what clients may send; the module of the resource carries out changes. Attribute ``a:b`` is column
``a_b``.

Access is checked by the rules of ``network/policies``: ``update_port``, and for each attribute in a request
``update_port:fixed_ips`` and ``update_port:fixed_ips:ip_address``, if there are such rules. A caller that may not show a
resource gets 404 for every change of it.
"""

import dataclasses
import typing

from common import db, errors, rows, schema, values
from network import parsing
from network.db import quotas
from network.db.groups import base
from network.handlers import listing, preconditions, tags
from network.handlers.listing import column


@dataclasses.dataclass(frozen=True)
class Attribute:
    """``default`` REQUIRED: must be sent. ``update``: may be changed later. ``parse``: (raw, name) -> stored value, not for null.

    The policy rule with its name, if there is one, is checked if a request contains it; for a new resource only if the value
    differs from the default, or if ``asked``.
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
    kind = ""  # as error types name it: "Network", "Port"
    attributes: dict[str, Attribute] = {}
    more_filters: tuple[str, ...] = ()  # columns that lists are filtered by, beside those of attributes
    quota: str | None = None
    shared_filter: typing.Any = None  # WHERE of rows that everybody sees
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
        raise AssertionError("a resource shows itself")

    def complete(self, connection, found: list[dict]) -> list[dict]:
        """Add what is in other tables, with a constant number of statements."""
        return found

    def insert(self, req, connection, values: dict) -> dict:
        """Write one row and what belongs to it; returns the complete row."""
        rows.insert(connection, self.table, values)
        return values

    def change(self, req, connection, old: dict, values: dict) -> dict:
        """Check and carry out an update; returns the columns to write."""
        return values

    def remove(self, req, connection, row: dict) -> None:
        """Refuse, or remove what belongs to the row."""

    def after(self, req, verb: str, found: list[dict]) -> list[dict]:
        """After the commit: tell agents. Returns the rows to show."""
        return found

    def target_of(self, row: dict) -> dict:
        """What rules about an existing row are checked against: its project, and other attributes that they refer to."""
        return {"project_id": row["project_id"]}

    def target(self, req, connection, owner: str | None, given: dict, row: dict | None) -> dict:
        """What rules are checked against for a row with the attributes of a request.

        :param owner: the project that it has or will have
        :param row: the resource that is to be changed or deleted; None for a new one
        """
        return {"project_id": owner} if row is None else self.target_of(row)

    def extra_filter(self, name: str, values: list[str]):
        """The WHERE of a filter that is not a column, or None."""
        return None

    # Reading ----------------------------------------------------------------

    def visible(self, req):
        """The WHERE of the rows that are read for a caller: those of its project and what is shared, or all of them for
        administrators and services. Rules then decide about each row."""
        if req.svc.policy.sees_all_projects(req.ctx):
            return rows.ALL
        own = self.table.c.project_id == req.ctx.project_id if req.ctx.project_id else rows.NONE
        return own if self.shared_filter is None else rows.any_of(own, self.shared_filter)

    def get(self, connection, req, row_id: str) -> dict:
        """:raises NotFound: the caller sees no such resource"""
        row = rows.find(connection, self.table, row_id, self.visible(req))
        if row is None:
            raise self.absent(row_id)
        return self.complete(connection, [row])[0]

    def absent(self, row_id: str) -> errors.NotFound:
        return errors.NotFound(f"{self.kind} {row_id} could not be found.", kind=f"{self.kind}NotFound")

    def may_see(self, req, row: dict) -> bool:
        return req.svc.policy.allows(req.ctx, f"get_{self.singular}", self.target_of(row))

    def shown(self, req, row: dict) -> dict:
        """A row as this caller sees it."""
        found = self.fields(row)
        hidden = self._hidden(req, row)
        wanted = req.GET.getall("fields")
        return {k: v for k, v in found.items() if k not in hidden and (not wanted or k in wanted)}

    def fields(self, row: dict) -> dict:
        found = {**self.view(row), "id": row["id"], "name": row["name"], "description": row["description"],
                 "project_id": row["project_id"] or "", "tenant_id": row["project_id"] or "",
                 "created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"]),
                 "revision_number": row["revision_number"], "tags": tags.of(row)}
        if not self.named:
            del found["name"]
        return found

    def _hidden(self, req, row: dict) -> set[str]:
        """The attributes of a row that the caller may not see."""
        policy = req.svc.policy
        if self._hiding_rules is None:
            self._hiding_rules = [r for r in policy.names if r.startswith(f"get_{self.singular}:") and not r.endswith(":tags")]
        target = self.target_of(row)
        return {r.partition(":")[2] for r in self._hiding_rules if not policy.allows(req.ctx, r, target)}

    def seen(self, req, name: str):
        """The WHERE of the rows of which the caller may see an attribute; None: of all rows."""
        rule, policy = f"get_{self.singular}:{name}", req.svc.policy
        if rule not in policy.names or policy.allows(req.ctx, rule, {}):
            return None
        return self.table.c.project_id == req.ctx.project_id if policy.allows(req.ctx, rule) else rows.NONE

    def index(self, req):
        with req.svc.db.reader() as connection:
            found = self.complete(connection, listing.page(self, req, connection))
        body: dict = {self.plural: [self.shown(req, r) for r in found if self.may_see(req, r)]}
        if links := listing.links(req, [r["id"] for r in found]):
            body[f"{self.plural}_links"] = links
        return body

    def show(self, req, id):
        with req.svc.db.reader() as connection:
            row = self.get(connection, req, id)
        if not self.may_see(req, row):
            raise self.absent(id)
        return {self.singular: self.shown(req, row)}

    # Writing ----------------------------------------------------------------

    def _parsed(self, given: dict) -> dict:
        """What the client sent, in the stored form."""
        return {n: self.known[n].parse(v, n) if self.known[n].parse and v is not None else v for n, v in given.items()}

    def _values(self, req, given: dict) -> dict:
        """The columns of a new row, with defaults, after the check of the caller's rights."""
        self._create(given)
        given = self._parsed(given)
        owner = given.get("project_id") or given.get("tenant_id") or req.ctx.project_id
        if given.get("tenant_id") not in (None, owner):
            raise errors.BadRequest("'project_id' and 'tenant_id' do not match", kind="HTTPBadRequest")
        if owner != req.ctx.project_id and not req.svc.policy.sees_all_projects(req.ctx):
            raise errors.BadRequest("Specifying 'project_id' other than the authenticated project in request is not allowed for "
                                    "the current user.", kind="HTTPBadRequest")
        with req.svc.db.reader() as connection:
            self.authorize(req, "create", given, self.target(req, connection, owner, given, None))
        if not owner:
            raise errors.BadRequest("The token is for no project, so project_id must be specified.", kind="HTTPBadRequest")
        found = base(owner, given.get("name", ""), given.get("description", ""))
        found.update({column(n): given.get(n, a.default) for n, a in self.attributes.items()})
        return found

    def authorize(self, req, verb: str, given: dict, target: dict, row: dict | None = None) -> None:
        """Check the rule of a verb, and those of the attributes in the request.

        A new resource may be given a default value explicitly without a check; an update to it is checked.

        :param row: the resource to be changed or deleted
        :raises Forbidden: with the names of all rules that were checked
        :raises NotFound: the caller may not show the row either
        """
        action, policy = f"{verb}_{self.singular}", req.svc.policy
        wanted = [action]
        for name, attribute in self.attributes.items():
            if name in given and (verb != "create" or attribute.asked or given[name] not in (None, attribute.default)):
                wanted.append(f"{action}:{name}")
                parts = given[name] if isinstance(given[name], list) else [given[name]]
                wanted += sorted({f"{action}:{name}:{k}" for p in parts if isinstance(p, dict) for k in p})
        asked = [r for r in wanted if r in policy.names]
        if not all(policy.allows(req.ctx, r, target) for r in asked):
            self.refuse(req, row, *asked)

    def refuse(self, req, row: dict | None, *rules: str) -> typing.NoReturn:
        """:raises NotFound: the caller may not show the row; :raises Forbidden: otherwise"""
        if row is not None and not self.may_see(req, row):
            raise self.absent(row["id"])
        raise req.svc.policy.refused(*rules)

    def check(self, req, rule: str, row: dict) -> None:
        """:raises NotFound, Forbidden: the rule refuses the caller for this row"""
        if not req.svc.policy.allows(req.ctx, rule, self.target_of(row)):
            self.refuse(req, row, rule)

    def create(self, req):
        body = req.json_object()
        many = self.plural in body
        given = body.get(self.plural) if many else [body.get(self.singular)]
        if not isinstance(given, list) or not given or not all(isinstance(g, dict) for g in given):
            raise errors.BadRequest(f"Unable to find '{self.singular}' in request body")
        if len(given) > 200:
            raise errors.BadRequest("At most 200 resources can be created at once.")
        wanted = [self._values(req, g) for g in given]
        made = req.svc.db.transact(self._insert_all, req, wanted)
        made = self.after(req, "create", made)
        shown = [self.shown(req, r) for r in made]
        for one in shown:
            req.svc.notifier.tell(req.ctx, f"{self.singular}.create.end", {self.singular: one})
        return {self.plural: shown} if many else {self.singular: shown[0]}

    def check_create(self, req):
        """Check whether the caller may create this, without creating it. Other services create it later with their own rights.

        :raises Forbidden, NotFound, BadRequest: as ``create`` would
        """
        given = req.json_object().get(self.singular)
        if not isinstance(given, dict):
            raise errors.BadRequest(f"Unable to find '{self.singular}' in request body")
        self._values(req, given)

    def _insert_all(self, connection, req, wanted: list[dict]) -> list[dict]:
        if self.quota:
            for owner in {w["project_id"] for w in wanted}:
                quotas.check(connection, req.svc.conf, self.quota, owner,
                             sum(1 for w in wanted if w["project_id"] == owner))
        return [self.insert(req, connection, dict(w)) for w in wanted]

    def update(self, req, id):
        body = req.json_object()
        given = body.get(self.singular)
        if not isinstance(given, dict):
            raise errors.BadRequest(f"Unable to find '{self.singular}' in request body")
        self._update(given)
        given = self._parsed(given)
        row = req.svc.db.transact(self._update_one, req, id, given)
        shown = self.shown(req, self.after(req, "update", [row])[0])
        req.svc.notifier.tell(req.ctx, f"{self.singular}.update.end", {self.singular: shown})
        return {self.singular: shown}

    def _update_one(self, connection, req, row_id: str, given: dict) -> dict:
        old = self.get(connection, req, row_id)
        self.authorize(req, "update", given, self.target(req, connection, old["project_id"], given, old), old)
        preconditions.check(req, old)
        new = self.change(req, connection, old, {column(n): v for n, v in given.items()})
        new = {k: v for k, v in new.items() if k in self.table.c}
        # With what the change has written itself: columns, and rows of other tables.
        now = rows.get(connection, self.table, row_id, resource=self.kind)
        whole = self.complete(connection, [{**old, **now, **new}])[0]
        if any(whole[k] != v for k, v in old.items() if k not in ("revision_number", "updated_at")):
            new.update(updated_at=db.now(), revision_number=old["revision_number"] + 1)
        rows.update(connection, self.table, row_id, new, resource=self.kind)
        return {**whole, **new}

    def delete(self, req, id):
        row = req.svc.db.transact(self._delete_one, req, id)
        self.after(req, "delete", [row])
        req.svc.notifier.tell(req.ctx, f"{self.singular}.delete.end", {f"{self.singular}_id": id})

    def _delete_one(self, connection, req, row_id: str) -> dict:
        row = self.get(connection, req, row_id)
        self.authorize(req, "delete", {}, self.target(req, connection, row["project_id"], {}, row), row)
        preconditions.check(req, row)
        self.remove(req, connection, row)
        rows.delete(connection, self.table, row_id, resource=self.kind)
        return row

    @staticmethod
    def touch(req, *port_ids: str | None) -> None:
        """Remember ports whose servers get other addresses in this request."""
        req.environ.setdefault("pileus.ports", set()).update(p for p in port_ids if p)

    @staticmethod
    def touched(req) -> set[str]:
        return req.environ.get("pileus.ports", set())

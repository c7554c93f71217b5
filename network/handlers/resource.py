"""List, show, create (one or many), update and delete, as every network resource has them.

An ``Attribute`` row says what clients may send; the noun's module says what a
change entails. Attribute ``a:b`` is column ``a_b``.
"""

import dataclasses
import typing
import urllib.parse

import sqlalchemy as sa

from common import db, errors, rows, schema, values, wsgi
from common import tags as tag_filters
from network import parsing
from network.db import quotas
from network.db.groups import base
from network.handlers import tags


@dataclasses.dataclass(frozen=True)
class Attribute:
    """``default`` REQUIRED: must be sent. ``update``: may change later. ``parse``: (raw, name) -> what is stored; null stays.

    Who may send it, is the policy's rule of its name, where there is one.
    """

    schema: dict
    default: typing.Any = None
    update: bool = True
    parse: typing.Callable[[typing.Any, str], typing.Any] | None = None


REQUIRED = object()
_PROJECT = {"type": ["string", "null"], "maxLength": 64}
COMMON = {"name": Attribute({"type": "string", "maxLength": 255}, "", parse=parsing.text),
          "description": Attribute({"type": "string", "maxLength": 255}, "", parse=parsing.description),
          "project_id": Attribute(_PROJECT, None, update=False, parse=values.identifier),
          "tenant_id": Attribute(_PROJECT, None, update=False, parse=values.identifier)}


def flag(default, *, update: bool = True) -> Attribute:
    """An attribute that is true or false; OpenStack takes 1 and 0 for it too."""
    return Attribute({"enum": [*schema.BOOLEAN["enum"], 1, 0]}, default, update=update, parse=values.boolean)


def column(name: str) -> str:
    return name.replace(":", "_")


class Resource:
    """One noun. Subclasses fill the class attributes and the hooks."""

    singular = ""
    plural = ""
    table: sa.Table
    kind = ""  # as error types name it: "Network", "Port"
    attributes: dict[str, Attribute] = {}
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
        """Add what lies in other tables; constant number of statements."""
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

    def target(self, req, connection, owner: str, given: dict, row: dict | None) -> dict:
        """What rules are asked about: the project that has or will have it, and those of what it lies in.

        :param row: the resource that is to be changed or deleted; None for a new one
        """
        return {"project_id": owner}

    def extra_filter(self, name: str, values: list[str]):
        """The WHERE of a filter that is no column, or None."""
        return None

    # Reading ----------------------------------------------------------------

    def visible(self, ctx):
        if ctx.is_admin or ctx.is_service:
            return sa.true()
        own = self.table.c.project_id == ctx.project_id
        return own if self.shared_filter is None else sa.or_(own, self.shared_filter)

    def get(self, connection, ctx, row_id: str) -> dict:
        row = rows.exact(rows.one(connection, sa.select(self.table).where(self.table.c.id == row_id, self.visible(ctx))), row_id)
        if row is None:
            raise self.absent(row_id)
        return self.complete(connection, [row])[0]

    def absent(self, row_id: str) -> errors.NotFound:
        return errors.NotFound(f"{self.kind} {row_id} could not be found.", kind=f"{self.kind}NotFound")

    def _shown(self, req, row: dict) -> dict:
        shown = {**self.view(row), "id": row["id"], "name": row["name"], "description": row["description"],
                 "project_id": row["project_id"] or "", "tenant_id": row["project_id"] or "",
                 "created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"]),
                 "revision_number": row["revision_number"], "tags": tags.of(row)}
        if not self.named:
            del shown["name"]
        for rule in self._hiding(req):
            if not req.svc.policy.allows(req.ctx, rule, {"project_id": row["project_id"]}):
                shown.pop(rule.partition(":")[2], None)
        fields = req.GET.getall("fields")
        return {k: v for k, v in shown.items() if k in fields} if fields else shown

    def _hiding(self, req) -> list[str]:
        """The rules by which attributes are shown."""
        if self._hiding_rules is None:
            self._hiding_rules = [r for r in req.svc.policy.names if r.startswith(f"get_{self.singular}:")]
        return self._hiding_rules

    def _conditions(self, req) -> list:
        found = [self.visible(req.ctx)]
        skip = {"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"}
        for name in {n for n in req.GET if n not in skip}:
            raw = req.GET.getall(name)
            own = self.extra_filter(name, raw)
            key = column("project_id" if name == "tenant_id" else name)
            if own is not None:
                found.append(own)
            elif name in tag_filters.FILTERS:
                found.append(tag_filters.condition(self.table.c.tags, name, raw))
            elif key in self.table.c:
                found.append(self._equal(name, self.table.c[key], raw))
            else:
                found.append(sa.false() if name in self.attributes else sa.true())
        return found

    def _equal(self, name: str, target: sa.Column, raw: list[str]):
        """The WHERE of a filter by a column. An empty value stands for none."""
        if isinstance(target.type, (sa.JSON, sa.DateTime)):
            raise errors.BadRequest(f"{name} cannot be filtered by.")
        parse = (values.boolean if isinstance(target.type, sa.Boolean) else parsing.between(-values.INT32, values.INT32)
                 if isinstance(target.type, sa.Integer) else parsing.stored(getattr(self.known.get(name), "parse", None)))
        wanted = [parse(v, name) for v in raw if v != "" or not target.nullable]
        return target.in_(wanted) if len(wanted) == len(raw) else sa.or_(target.in_(wanted), target.is_(None))

    def _page(self, req, connection) -> tuple[list[dict], bool]:
        limit = wsgi.int_param(req, "limit", 0)
        names, directions = req.GET.getall("sort_key"), req.GET.getall("sort_dir")
        sort = [(column("project_id" if n == "tenant_id" else n), d) for n, d in zip(names, directions + ["asc"] * len(names))]
        if any(n not in self.table.c or isinstance(self.table.c[n].type, sa.JSON) or d not in ("asc", "desc") for n, d in sort):
            raise errors.BadRequest("The sort keys or directions are not valid.")
        reverse = "page_reverse" in req.GET and wsgi.bool_value(req.GET["page_reverse"])
        if reverse:
            sort = [(n, "desc" if d == "asc" else "asc") for n, d in sort or [("id", "asc")]]
        marker = req.GET.get("marker")
        marker_row = self.get(connection, req.ctx, marker) if marker else None
        query = sa.select(self.table).where(*self._conditions(req))
        found = rows.many(connection, db.page(query, self.table, sort=sort, limit=limit, marker_row=marker_row))
        return (found[::-1] if reverse else found), bool(limit) and len(found) == limit

    def index(self, req):
        req.svc.policy.check(req.ctx, f"get_{self.singular}", {"project_id": req.ctx.project_id})
        with req.svc.db.reader() as connection:
            found, more = self._page(req, connection)
            found = self.complete(connection, found)
        body: dict = {self.plural: [self._shown(req, r) for r in found]}
        if "limit" in req.GET and found:
            query = [(k, v) for k, v in req.GET.items() if k not in ("marker", "page_reverse")]
            links = []
            if more:
                links.append({"rel": "next", "href": f"{req.path_url}?" + urllib.parse.urlencode(
                    [*query, ("marker", found[-1]["id"])])})
            if "marker" in req.GET:
                links.append({"rel": "previous", "href": f"{req.path_url}?" + urllib.parse.urlencode(
                    [*query, ("marker", found[0]["id"]), ("page_reverse", "True")])})
            body[f"{self.plural}_links"] = links
        return body

    def show(self, req, id):
        with req.svc.db.reader() as connection:
            row = self.get(connection, req.ctx, id)
        if not req.svc.policy.allows(req.ctx, f"get_{self.singular}", {"project_id": req.ctx.project_id}):
            raise self.absent(id)
        return {self.singular: self._shown(req, row)}

    # Writing ----------------------------------------------------------------

    def _parsed(self, given: dict) -> dict:
        """What the client sent, in the form in which it is stored."""
        return {n: self.known[n].parse(v, n) if self.known[n].parse and v is not None else v for n, v in given.items()}

    def _values(self, req, given: dict) -> dict:
        """The columns of a new row: defaults filled in, the caller's right to it checked."""
        self._create(given)
        given = self._parsed(given)
        owner = given.get("project_id") or given.get("tenant_id") or req.ctx.project_id
        if given.get("tenant_id") not in (None, owner):
            raise errors.BadRequest("'project_id' and 'tenant_id' do not match")
        if owner != req.ctx.project_id and not (req.ctx.is_admin or req.ctx.is_service):
            req.svc.policy.refuse(f"create_{self.singular}", f"create_{self.singular}:tenant_id")
        with req.svc.db.reader() as connection:
            self.authorize(req, "create", given, self.target(req, connection, owner, given, None))
        found = base(owner, given.get("name", ""), given.get("description", ""))
        found.update({column(n): given.get(n, a.default) for n, a in self.attributes.items()})
        return found

    def authorize(self, req, verb: str, given: dict, target: dict) -> None:
        """Check the rule of a verb, and those of the attributes that are sent.

        To create, a default may be said aloud; an update may not even restore it.

        :raises Forbidden: naming all rules that were asked
        """
        action = f"{verb}_{self.singular}"
        wanted = [action]
        for name, attribute in self.attributes.items():
            if name in given and not (verb == "create" and given[name] in (None, attribute.default)):
                wanted.append(f"{action}:{name}")
                parts = given[name] if isinstance(given[name], list) else [given[name]]
                wanted += sorted({f"{action}:{name}:{k}" for p in parts if isinstance(p, dict) for k in p})
        req.svc.policy.check_all(req.ctx, [r for r in wanted if r in req.svc.policy.names], target)

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
        shown = [self._shown(req, r) for r in made]
        for one in shown:
            req.svc.notifier.tell(req.ctx, f"{self.singular}.create.end", {self.singular: one})
        return {self.plural: shown} if many else {self.singular: shown[0]}

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
        shown = self._shown(req, self.after(req, "update", [row])[0])
        req.svc.notifier.tell(req.ctx, f"{self.singular}.update.end", {self.singular: shown})
        return {self.singular: shown}

    def _update_one(self, connection, req, row_id: str, given: dict) -> dict:
        old = self.get(connection, req.ctx, row_id)
        self.authorize(req, "update", given, self.target(req, connection, old["project_id"], given, old))
        new = self.change(req, connection, old, {column(n): v for n, v in given.items()})
        new = {k: v for k, v in new.items() if k in self.table.c}
        new.update(updated_at=db.now(), revision_number=old["revision_number"] + 1)
        rows.update(connection, self.table, row_id, new, resource=self.kind)
        return self.complete(connection, [rows.get(connection, self.table, row_id, resource=self.kind)])[0]

    def delete(self, req, id):
        row = req.svc.db.transact(self._delete_one, req, id)
        self.after(req, "delete", [row])
        req.svc.notifier.tell(req.ctx, f"{self.singular}.delete.end", {f"{self.singular}_id": id})

    def _delete_one(self, connection, req, row_id: str) -> dict:
        row = self.get(connection, req.ctx, row_id)
        req.svc.policy.check(req.ctx, f"delete_{self.singular}", self.target(req, connection, row["project_id"], {}, row))
        self.remove(req, connection, row)
        rows.delete(connection, self.table, row_id, resource=self.kind)
        return row

"""The five operations of identity's simple resources. Each resource's module adds its differences.

Queries are {name: values} of a request.
"""

import dataclasses
import json
import typing

from common import context, errors, rows, schema, wsgi
from common.calls import Call
from identity import targets
from identity.db import crud

Query = typing.Mapping[str, list[str]]
# Attributes that views add, or that would have another meaning if they were shown.
_RESERVED = ("links", "options", "is_domain", "password", "password_expires_at", "region", "domain")


@dataclasses.dataclass(frozen=True)
class Noun:
    """A resource of the identity API.

    ``on_create(call, connection, values)`` may complete or refuse values; ``on_update(call, connection, old,
    values)`` and ``on_delete(call, connection, row)`` perform dependent changes.

    ``domain_target`` is the attribute with which the list's rule is checked for a domain-scoped token; the list then
    shows the content of that domain. ``unknown_first``: operations (get, update, delete) for which Keystone looks up
    the resource before it checks the rule, so that everybody gets 404 for unknown ids.
    """

    singular: str
    plural: str
    table: rows.Table
    properties: dict
    required: tuple = ()
    filters: tuple = ()
    hidden: tuple = ()
    on_create: typing.Callable = lambda call, connection, values: None
    on_update: typing.Callable = lambda call, connection, old, values: None
    on_delete: typing.Callable = lambda call, connection, row: None
    domain_target: str = ""
    unknown_first: tuple = ()

    def fields(self, row: dict) -> dict:
        """The attributes of a row in responses."""
        return {**json.loads(row.get("extra") or "{}"), **{k: v for k, v in row.items() if k not in (*self.hidden, "extra")}}

    def where(self, query: Query) -> list:
        """Conditions of a list besides its simple filters."""
        return []

    def _extra(self, given: dict, old: str | None) -> dict:
        """The column of the client's own attributes: the existing ones, with those that a body adds or changes."""
        own = {k: v for k, v in given.items()
               if k not in self.table.c and k not in self.properties and k not in (*self.hidden, *_RESERVED)}
        return {"extra": json.dumps({**json.loads(old or "{}"), **own})} if own and "extra" in self.table.c else {}

    def _conflict(self, values: dict) -> str:
        return (f"Conflict occurred attempting to store {self.singular} - "
                f"Duplicate entry found with name {values.get('name', values.get('id'))}.")

    def _notify(self, call: Call, what: str, id: str) -> None:
        call.svc.notifier.notify(call.ctx, f"identity.{self.singular}.{what}", {"resource_info": id})

    def _check(self, call: Call, verb: str, row: dict | None, id: str = "") -> None:
        """:raises Forbidden: the rule refuses, also for a resource that does not exist; :raises NotFound: it does not exist"""
        if row is not None or verb not in self.unknown_first:
            call.svc.policy.check(call.ctx, self.rule(verb, row), {f"{self.singular}_id": id, **self.target(row or {})})
        if row is None:
            raise errors.NotFound(f"Could not find {self.singular}: {id}.")

    def rule(self, verb: str, row: dict | None) -> str:
        """The rule for an operation on a row, or for creating one."""
        return f"identity:{verb}_{self.singular}"

    def target(self, row: dict) -> dict:
        """The target of policy checks for a row."""
        return targets.of(**{self.singular: row})

    def check_list(self, call: Call, query: Query) -> None:
        home = call.ctx.domain_id if self.domain_target else None
        call.svc.policy.check(call.ctx, self.list_rule(query), {self.domain_target: home} if home else {})

    def list_rule(self, query: Query) -> str:
        return f"identity:list_{self.plural}"

    def in_own_domain(self, call: Call) -> list:
        """Conditions of a list: with a domain-scoped token, only resources in that domain."""
        return [crud.in_domain(self.table, call.ctx.domain_id)] if self.domain_target and call.ctx.domain_id else []

    def _known(self, call: Call, connection, verb: str, id: str) -> dict:
        row = rows.find(connection, self.table, id)
        self._check(call, verb, row, id)
        assert row is not None
        return row

    def index(self, call: Call, query: Query) -> list[dict]:
        self.check_list(call, query)
        return self.listed(call, query)

    def listed(self, call: Call, query: Query) -> list[dict]:
        """The list, after the check of its rule."""
        wanted: dict[str, typing.Any] = {k: v[-1] for k, v in query.items() if k in self.filters}
        if "enabled" in wanted:
            wanted["enabled"] = wsgi.bool_value(wanted["enabled"])
        partial = crud.partials(self.table, self.filters, query)
        with call.svc.db.reader() as connection:
            return crud.listed(connection, self.table, wanted, partial, *self.where(query), *self.in_own_domain(call))

    def show(self, call: Call, id: str) -> dict:
        with call.svc.db.reader() as connection:
            row = rows.find(connection, self.table, id)
        self._check(call, "get", row, id)
        assert row is not None
        return row

    def create(self, call: Call, body: dict, then: typing.Callable = lambda connection, values: None, **columns) -> dict:
        """Create a row from a request's body; returns the row.

        :param then: (connection, values): further changes in the same transaction
        :param columns: values that do not come from the client
        """
        given = body.get(self.singular)
        self._check(call, "create", {**(given if isinstance(given, dict) else {}), "id": None})
        self._create_schema(body)
        values: dict = {c.name: None for c in self.table.c if c.name != "id"}
        values.update(id=context.new_hex())
        if "enabled" in values:
            values["enabled"] = True
        values.update({k: v for k, v in body[self.singular].items() if k in self.properties})
        values.update(self._extra(body[self.singular], None), **columns)
        with call.svc.db.writer() as connection:
            self.on_create(call, connection, values)
            values = {k: v for k, v in values.items() if k in self.table.c}
            rows.insert(connection, self.table, values, conflict=self._conflict(values))
            then(connection, values)
        self._notify(call, "created", values["id"])
        return values

    def update(self, call: Call, id: str, body: dict, then: typing.Callable = lambda connection, values: None) -> dict:
        with call.svc.db.writer() as connection:
            old = self._known(call, connection, "update", id)
            self._update_schema(body)
            values = {k: v for k, v in body[self.singular].items() if k in self.properties}
            if values.get("domain_id", old.get("domain_id")) != old.get("domain_id"):
                raise errors.BadRequest(f"The domain of a {self.singular} cannot be changed.")
            values.update(self._extra(body[self.singular], old.get("extra")))
            self.on_update(call, connection, old, values)
            values = {k: v for k, v in values.items() if k in self.table.c}
            rows.update(connection, self.table, id, values, resource=self.singular, conflict=self._conflict(values))
            then(connection, {**old, **values})
        self._notify(call, "updated", id)
        call.svc.revocations.run_once()  # so that this process refuses revoked tokens at once
        return {**old, **values}

    def delete(self, call: Call, id: str) -> None:
        with call.svc.db.writer() as connection:
            row = self._known(call, connection, "delete", id)
            self.on_delete(call, connection, row)
            rows.delete(connection, self.table, id, resource=self.singular)
        self._notify(call, "deleted", id)
        call.svc.revocations.run_once()

    @property
    def _create_schema(self):
        return schema.compiled(schema.wrapped(self.singular, self.properties, self.required, extra=True))

    @property
    def _update_schema(self):
        return schema.compiled(schema.wrapped(self.singular, self.properties, extra=True))

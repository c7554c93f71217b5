"""OS-FEDERATION: identity providers, their protocols, mappings, service providers."""

import dataclasses
import typing

from common import context, errors, rows
from common.calls import Call
from identity.db import models


@dataclasses.dataclass(frozen=True)
class Kind:
    """A resource whose id the client chooses.

    :param noun: its name in rules and errors
    :param checks: (connection, row, old row or None): complete or refuse a row before it is written
    """

    noun: str
    plural: str
    table: rows.Table
    checks: typing.Callable | None = None

    def _rule(self, call: Call, verb: str) -> None:
        call.svc.policy.check(call.ctx, f"identity:{verb}_{self.plural if verb == 'list' else self.noun}", {})

    def index(self, call: Call, wanted: dict[str, typing.Any], **of: typing.Any) -> list[dict]:
        """:param of: {"idp_id": the provider to which they belong}"""
        self._rule(call, "list")
        with call.svc.db.reader() as connection:
            if of:
                rows.get(connection, models.identity_providers, of["idp_id"], resource="identity provider")
            return rows.select(connection, self.table, **of, **wanted)

    def show(self, call: Call, id: str, **of: str) -> dict:
        self._rule(call, "get")
        with call.svc.db.reader() as connection:
            return rows.get(connection, self.table, id, resource=self.noun, **of)

    def create(self, call: Call, id: str, given: typing.Callable[[], dict], **of: str) -> dict:
        """:param given: function that returns the body, called after the policy check"""
        self._rule(call, "create")
        row = {**{c.name: None for c in self.table.c}, "enabled": True, **given(), "id": id, **of}
        row = {k: v for k, v in row.items() if k in self.table.c}
        with call.svc.db.writer() as connection:
            if self.checks:
                self.checks(connection, row)
            rows.insert(connection, self.table, row, conflict=f"Conflict occurred attempting to store {self.noun} - Duplicate "
                                                              f"entry found with ID {id}.")
        return row

    def update(self, call: Call, id: str, given: typing.Callable[[], dict], **of: str) -> dict:
        """:param given: as for ``create``"""
        self._rule(call, "update")
        changed = given()
        with call.svc.db.writer() as connection:
            old = rows.get(connection, self.table, id, resource=self.noun, **of)
            new = {**old, **changed}
            if self.checks:
                self.checks(connection, new, old)
            values = {name: new[name] for name in changed}
            rows.update(connection, self.table, id, values, resource=self.noun, **of)
            self._ended(call, connection, new, old)
        call.svc.revocations.run_once()
        return new

    def delete(self, call: Call, id: str, **of: str) -> None:
        self._rule(call, "delete")
        with call.svc.db.writer() as connection:
            row = rows.get(connection, self.table, id, resource=self.noun, **of)
            if self.table is models.mappings and rows.exists(connection, models.federation_protocols, mapping_id=id):
                raise errors.Conflict(f"Mapping {id} is used by a protocol.")
            rows.delete_where(connection, self.table, id=id, **of)
            self._ended(call, connection, {"enabled": False}, row)
        call.svc.revocations.run_once()

    def _ended(self, call: Call, connection, row: dict, old: dict) -> None:
        """Revoke the tokens of users who logged in through a provider that is now disabled or deleted."""
        if self.table is models.identity_providers and old["enabled"] and not row["enabled"]:
            call.svc.revoke(connection, identity_provider_id=old["id"])


def _provider(connection, row: dict, old: dict | None = None) -> None:
    """A provider without a domain gets a domain of its own; each issuer belongs to one provider."""
    if old is not None and row["domain_id"] != old["domain_id"]:
        raise errors.BadRequest("The domain of an identity provider cannot be changed.")
    row["remote_ids"] = row["remote_ids"] or []
    if row["domain_id"]:
        rows.get(connection, models.domains, row["domain_id"], resource="domain")
    else:
        row["domain_id"] = rows.insert(connection, models.domains, {
            "id": context.new_hex(), "name": context.new_hex(), "enabled": True,
            "description": f"Auto generated federated domain for Identity Provider: {row['id']}"})["id"]
    for other in rows.select(connection, models.identity_providers):
        if other["id"] != row["id"] and set(other["remote_ids"] or ()) & set(row["remote_ids"]):
            raise errors.Conflict("Duplicate remote ID: it belongs to another identity provider.")


def _protocol(connection, row: dict, old: dict | None = None) -> None:
    rows.get(connection, models.identity_providers, row["idp_id"], resource="identity provider")
    rows.get(connection, models.mappings, row["mapping_id"], resource="mapping")


def _service_provider(connection, row: dict, old: dict | None = None) -> None:
    row["relay_state_prefix"] = row["relay_state_prefix"] or "ss:mem:"


PROVIDER = Kind("identity_provider", "identity_providers", models.identity_providers, _provider)
PROTOCOL = Kind("protocol", "protocols", models.federation_protocols, _protocol)
MAPPING = Kind("mapping", "mappings", models.mappings)
SERVICE_PROVIDER = Kind("service_provider", "service_providers", models.service_providers, _service_provider)


def provider_of(call: Call, protocol_id: str, said: dict[str, str]) -> str:
    """The id of the identity provider for an assertion."""
    with call.svc.db.reader() as connection:
        return call.svc.federation.provider_of(connection, protocol_id, said)

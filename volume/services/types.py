"""Volume types, which select backends."""

from common import errors, rows, wsgi
from common.calls import Call
from volume.db import models, types
from volume.services import filters, lists

TABLE = types.TABLE
# The extra specs that do not describe the backend.
_HARMLESS = ("RESKEY:availability_zones", "multiattach", "replication_enabled")


def _sees_all_specs(call: Call) -> bool:
    return call.svc.policy.allows(call.ctx, "volume_extension:types_extra_specs:read_sensitive")


def shown_specs(call: Call, row: dict) -> dict:
    """The extra specs that this caller may see."""
    everything = _sees_all_specs(call)
    return {name: value for name, value in row["extra_specs"].items() if everything or name in _HARMLESS}


def usable(call: Call):
    """The WHERE of the types that the caller may see and use; all of them for administrators."""
    return rows.ALL if call.svc.policy.is_admin(call.ctx) else types.usable(call.ctx.project_id)


def _listed(call: Call, wanted: str):
    """The WHERE of the types in a list: those that the project may use; administrators may filter by is_public."""
    if not call.svc.policy.is_admin(call.ctx):
        return types.usable(call.ctx.project_id)
    if wanted.lower() == "none":
        return rows.ALL
    return types.usable(call.ctx.project_id) if wsgi.bool_value(wanted) else ~TABLE.c.is_public


def _by_specs(value: str, call):
    """The WHERE of the types with these extra specs; none if the caller may not see one of the specs."""
    wanted = filters.literal("extra_specs", value)
    if not _sees_all_specs(call) and set(wanted) - set(_HARMLESS):
        return rows.NONE
    return rows.all_of(*(TABLE.c.extra_specs[key].as_string() == text for key, text in wanted.items()))
_EXTRA_SPECS = (3, 52)
FILTERS = {**{name: filters.text(TABLE.c[name]) for name in ("id", "name", "description")},
            "is_public": filters.Filter(lambda value, call: rows.ALL),  # handled by _listed
            "extra_specs": filters.Filter(_by_specs, since=_EXTRA_SPECS)}


def page(call: Call, query: dict[str, str]) -> tuple[list[dict], int]:
    call.svc.policy.check(call.ctx, "volume_extension:type_get_all")
    where = filters.conditions(call, query, FILTERS, strict=_EXTRA_SPECS)
    with call.svc.db.reader() as connection:
        return lists.page(connection, query, TABLE, [_listed(call, query.get("is_public", "true")), *where],
                          lambda marker: types.get(connection, marker, usable(call)), by=("name", "asc"))


def show(call: Call, id: str) -> dict:
    with call.svc.db.reader() as connection:
        row = types.get(connection, id, usable(call))
    call.svc.policy.check(call.ctx, "volume_extension:type_get")
    return row


def default(call: Call) -> dict:
    call.svc.policy.check(call.ctx, "volume_extension:type_get")
    with call.svc.db.reader() as connection:
        row = rows.first(connection, TABLE, name=call.svc.conf.volume.default_volume_type)
    if row is None:
        raise errors.NotFound("Default volume type could not be found.")
    return row


def create(call: Call, row: dict) -> None:
    call.svc.policy.check(call.ctx, "volume_extension:type_create")
    call.svc.db.transact(rows.insert, TABLE, row, conflict=f"Volume Type {row['name']} already exists.")


def update(call: Call, id: str, values: dict) -> dict:
    call.svc.policy.check(call.ctx, "volume_extension:type_update")
    with call.svc.db.writer() as connection:
        rows.update(connection, TABLE, id, values, resource="Volume type",
                    conflict=f"Volume Type {values.get('name')} already exists.")
        return types.get(connection, id)


def delete(call: Call, id: str) -> None:
    call.svc.policy.check(call.ctx, "volume_extension:type_delete")
    with call.svc.db.writer() as connection:
        types.get(connection, id)
        if rows.exists(connection, models.volumes, volume_type_id=id):
            raise errors.BadRequest(f"Target volume type is still in use: volume type {id}.")
        rows.delete(connection, TABLE, id, resource="Volume type")

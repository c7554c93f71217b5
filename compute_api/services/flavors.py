"""Flavors: sizes of servers; access to private flavors; extra specs."""

from common import errors, rows
from common.calls import Call
from compute_api import access
from conductor.db import flavors, models

TABLE, ACCESS = models.flavors, models.flavor_access


def page(call: Call, limit, scope, public, min_ram, min_disk, sort, marker, name: str | None = None):
    """:param name: a regular expression that names must contain"""
    with call.svc.db.reader() as connection:
        try:
            found = flavors.index(connection, scope, public=public, min_ram=min_ram, min_disk=min_disk, sort=sort, limit=limit,
                                  marker=marker, name=name) if limit else []
        except errors.NotFound:
            raise errors.BadRequest(f"marker [{marker}] not found") from None
    return found


def show(call: Call, id: str):
    with call.svc.db.reader() as connection:
        return flavors.get(connection, id, access.scope(call))


def create(call: Call, row: dict) -> None:
    with call.svc.db.writer() as connection:
        rows.insert(connection, TABLE, row, conflict=f"Flavor with name {row['name']} or ID {row['id']} already exists.")


def update(call: Call, id: str, values: dict):
    with call.svc.db.writer() as connection:
        flavors.get(connection, id, access.scope(call))
        rows.update(connection, TABLE, id, values, resource="Flavor")
        return flavors.get(connection, id, access.scope(call))


def delete(call: Call, id: str) -> None:
    call.svc.policy.check(call.ctx, "os_compute_api:os-flavor-manage:delete", {})
    with call.svc.db.writer() as connection:
        flavors.get(connection, id, access.scope(call))
        rows.delete_where(connection, ACCESS, flavor_id=id)
        rows.delete(connection, TABLE, id, resource="Flavor")


def _access(connection, id: str) -> dict:
    found = rows.select(connection, ACCESS, order_by="project_id", flavor_id=id)
    return {"flavor_access": [{"flavor_id": id, "tenant_id": row["project_id"]} for row in found]}


def projects(call: Call, id: str):
    access.check(call, "os_compute_api:os-flavor-access")
    with call.svc.db.reader() as connection:
        if flavors.get(connection, id, access.scope(call))["is_public"]:
            raise errors.NotFound("Access list not available for public flavors.")
        return _access(connection, id)


def change_access(call: Call, id: str, name: str, project_id: str) -> dict:
    with call.svc.db.writer() as connection:
        row = flavors.get(connection, id, access.scope(call))
        key = {"flavor_id": id, "project_id": project_id}
        if name == "addTenantAccess":
            if row["is_public"] and call.version >= (2, 7):
                raise errors.Conflict("Can not add access to a public flavor.")
            rows.insert(connection, ACCESS, key, conflict=f"Flavor access already exists for flavor {id} and project "
                                                          f"{project_id} combination.")
        elif not rows.delete_where(connection, ACCESS, **key):
            raise errors.NotFound(f"Flavor access not found for {id} / {project_id} combination.")
        return _access(connection, id)


def edit(call: Call, id: str, rule: str, edit) -> dict:
    call.svc.policy.check(call.ctx, rule, {})
    with call.svc.db.writer() as connection:
        changed = edit(dict(flavors.get(connection, id, access.scope(call))["extra_specs"]))
        rows.update(connection, TABLE, id, {"extra_specs": changed}, resource="Flavor")
        return changed


def specs(call: Call, id: str, rule: str) -> dict:
    access.check(call, rule)
    with call.svc.db.reader() as connection:
        return flavors.get(connection, id, access.scope(call))["extra_specs"]

"""Regions."""

from common import errors, rows, schema
from common.calls import Call
from identity.db import models, regions
from identity.services.crud import Noun


def _create(call: Call, connection, values: dict) -> None:
    values["description"] = values["description"] or ""
    _check_parent(connection, values["id"], values.get("parent_region_id"))


def _check_parent(connection, id: str, parent_id: str | None) -> None:
    """:raises NotFound: there is no such region; :raises BadRequest: it is the region itself, or below it"""
    if parent_id is None:
        return
    rows.get(connection, models.regions, parent_id, resource="region")
    if parent_id in {id, *regions.below(connection, id)}:
        raise errors.BadRequest(f"The specified parent region {parent_id} would create a circular region hierarchy.")


def _update(call: Call, connection, old: dict, values: dict) -> None:
    _check_parent(connection, old["id"], values.get("parent_region_id"))


def _delete(call: Call, connection, row: dict) -> None:
    """Regions below are deleted too, unless one of them has an endpoint."""
    below = regions.below(connection, row["id"])
    if rows.exists(connection, models.endpoints, region_id={row["id"], *below}):
        raise errors.Forbidden(f"Unable to delete region {row['id']} because it or its child regions have associated endpoints.")
    rows.delete_where(connection, models.regions, id=below)


_PROPERTIES = {"id": {"type": "string", "maxLength": 255}, "description": schema.LONG_TEXT,
               "parent_region_id": schema.TEXT}
NOUN = Noun("region", "regions", models.regions, _PROPERTIES, (), ("parent_region_id",), on_create=_create, on_update=_update,
            on_delete=_delete)

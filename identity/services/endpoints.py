"""Endpoints of the catalog."""

import re

from common import errors, rows, schema
from common.calls import Call
from identity.db import models, regions
from identity.services.crud import Noun

_PLACES = re.compile(r"[$%]\((project_id|tenant_id|user_id)\)s")


def _check_url(url: str) -> None:
    """:raises BadRequest: it contains a substitution that the catalog does not know"""
    if re.search(r"[$%]\(", _PLACES.sub("", url)):
        raise errors.BadRequest(f"Cannot create an endpoint with an invalid URL: {url}.")


def _create(call: Call, connection, values: dict) -> None:
    _check_url(values["url"])
    rows.get(connection, models.services, values["service_id"], resource="service")
    ensure_region(connection, values)


def ensure_region(connection, values: dict) -> None:
    """``region_id`` must exist; the former attribute ``region`` creates the region."""
    if values.get("region_id"):
        if rows.find(connection, models.regions, values["region_id"]) is None:
            raise errors.BadRequest(f"Could not find region: {values['region_id']}.")
    elif values.get("region"):
        values["region_id"] = values.pop("region")
        regions.ensure(connection, values["region_id"])


def _update(call: Call, connection, old: dict, values: dict) -> None:
    _check_url(values.get("url", ""))
    if "service_id" in values:
        rows.get(connection, models.services, values["service_id"], resource="service")
    ensure_region(connection, values)


class _EndpointNoun(Noun):
    def fields(self, row: dict):
        return {**super().fields(row), "region": row["region_id"]}


NOUN = _EndpointNoun("endpoint", "endpoints", models.endpoints,
                     {"service_id": schema.NAME, "interface": {"enum": ["public", "internal", "admin"]},
                      "region_id": schema.TEXT, "region": schema.TEXT, "enabled": {"type": "boolean"},
                      "url": {"type": "string", "minLength": 1, "maxLength": 2048, "pattern": "[A-Za-z]+://.*"}},
                     ("service_id", "interface", "url"), ("service_id", "interface", "region_id"), on_create=_create,
                     on_update=_update)

"""OS-EP-FILTER: endpoint groups, and their and endpoints' associations with projects."""

import dataclasses

from common import errors, rows, schema
from common.calls import Call
from identity.db import endpoint_filter, models
from identity.services.crud import Noun

_FILTERS = schema.obj({"service_id": schema.NAME, "region_id": {"type": "string", "maxLength": 255},
                       "interface": {"enum": ["public", "internal", "admin"]}})


def _given(call: Call, connection, values: dict) -> None:
    if not values.get("filters"):
        raise errors.BadRequest("An endpoint group needs filters: service_id, region_id or interface.")


def _changed(call: Call, connection, old: dict, values: dict) -> None:
    if "filters" in values:
        values["filters"] = {**old["filters"], **values["filters"]}


GROUP = Noun("endpoint_group", "endpoint_groups", models.endpoint_groups,
             {"name": schema.NAME, "description": schema.LONG_TEXT, "filters": _FILTERS}, ("name", "filters"), ("name",),
             on_create=_given, on_update=_changed)


@dataclasses.dataclass(frozen=True)
class Associations:
    """Associations of projects with endpoints, or with endpoint groups.

    :param kind: "endpoint" or "endpoint_group"
    :param own: the table of the endpoints or groups
    :param table: the table of associations
    :param adds, checks, removes, lists: the rules
    """

    kind: str
    own: rows.Table
    table: rows.Table
    adds: str
    checks: str
    removes: str
    lists: str

    def _pair(self, connection, id: str, project_id: str) -> dict:
        """The key of an association; both must exist."""
        rows.get(connection, self.own, id, resource=self.kind)
        rows.get(connection, models.projects, project_id, resource="project")
        return {"project_id": project_id, f"{self.kind}_id": id}

    def _known(self, connection, id: str, project_id: str) -> dict:
        pair = self._pair(connection, id, project_id)
        if not rows.exists(connection, self.table, **pair):
            raise errors.NotFound(f"The {self.kind.replace('_', ' ')} is not associated with the project.")
        return pair

    def add(self, call: Call, id: str, project_id: str) -> None:
        _check(call, self.adds)
        with call.svc.db.writer() as connection:
            pair = self._pair(connection, id, project_id)
            if not rows.exists(connection, self.table, **pair):
                rows.insert(connection, self.table, pair)

    def check(self, call: Call, id: str, project_id: str) -> None:
        _check(call, self.checks)
        with call.svc.db.reader() as connection:
            self._known(connection, id, project_id)

    def remove(self, call: Call, id: str, project_id: str) -> None:
        _check(call, self.removes)
        with call.svc.db.writer() as connection:
            rows.delete_where(connection, self.table, **self._known(connection, id, project_id))

    def projects(self, call: Call, id: str) -> list[dict]:
        """The projects that are associated with it."""
        _check(call, self.lists)
        with call.svc.db.reader() as connection:
            rows.get(connection, self.own, id, resource=self.kind)
            return endpoint_filter.projects(connection, self.table, **{f"{self.kind}_id": id})


DIRECT = Associations("endpoint", models.endpoints, endpoint_filter.DIRECT, "add_endpoint_to_project",
                      "check_endpoint_in_project", "remove_endpoint_from_project", "list_projects_for_endpoint")
BY_GROUP = Associations("endpoint_group", models.endpoint_groups, endpoint_filter.BY_GROUP, "add_endpoint_group_to_project",
                        "get_endpoint_group_in_project", "remove_endpoint_group_from_project",
                        "list_projects_associated_with_endpoint_group")


def _check(call: Call, rule: str) -> None:
    call.svc.policy.check(call.ctx, f"identity:{rule}", {})


def endpoints_of_group(call: Call, id: str) -> list[dict]:
    _check(call, "list_endpoints_associated_with_endpoint_group")
    with call.svc.db.reader() as connection:
        group = rows.get(connection, models.endpoint_groups, id, resource="endpoint_group")
        return endpoint_filter.endpoints_of_group(connection, group)


def endpoints_of_project(call: Call, project_id: str) -> list[dict]:
    _check(call, "list_endpoints_for_project")
    with call.svc.db.reader() as connection:
        rows.get(connection, models.projects, project_id, resource="project")
        return endpoint_filter.endpoints_of_project(connection, project_id)


def groups_of_project(call: Call, project_id: str) -> list[dict]:
    _check(call, "list_endpoint_groups_for_project")
    with call.svc.db.reader() as connection:
        rows.get(connection, models.projects, project_id, resource="project")
        return endpoint_filter.groups_of_project(connection, project_id)

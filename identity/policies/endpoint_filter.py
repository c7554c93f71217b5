"""Endpoint groups, and the association of endpoints and groups with projects."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_BASE = "/v3/OS-EP-FILTER"
_GROUPS, _GROUP = f"{_BASE}/endpoint_groups", _BASE + "/endpoint_groups/{endpoint_group_id}"
_GROUP_IN_PROJECT = _GROUP + "/projects/{project_id}"
_PROJECT = _BASE + "/projects/{project_id}"
_ENDPOINT_IN_PROJECT = _PROJECT + "/endpoints/{endpoint_id}"
RULES = [
    rule("identity:create_endpoint_group", ADMIN, "Create an endpoint group", f"POST {_GROUPS}", scopes=CLOUD),
    rule("identity:list_endpoint_groups", READER, "List endpoint groups", f"GET {_GROUPS}", scopes=CLOUD),
    rule("identity:get_endpoint_group", READER, "Show an endpoint group", f"GET {_GROUP}", scopes=CLOUD),
    rule("identity:update_endpoint_group", ADMIN, "Change an endpoint group", f"PATCH {_GROUP}", scopes=CLOUD),
    rule("identity:delete_endpoint_group", ADMIN, "Delete an endpoint group", f"DELETE {_GROUP}", scopes=CLOUD),
    rule("identity:list_projects_associated_with_endpoint_group", READER, "List the projects associated with an endpoint group",
         f"GET {_GROUP}/projects", scopes=CLOUD),
    rule("identity:list_endpoints_associated_with_endpoint_group", READER, "List the endpoints in an endpoint group",
         f"GET {_GROUP}/endpoints", scopes=CLOUD),
    rule("identity:get_endpoint_group_in_project", READER, "Check whether a project is associated with an endpoint group",
         f"GET {_GROUP_IN_PROJECT}", scopes=CLOUD),
    rule("identity:list_endpoint_groups_for_project", READER, "List the endpoint groups associated with a project",
         f"GET {_PROJECT}/endpoint_groups", scopes=CLOUD),
    rule("identity:add_endpoint_group_to_project", ADMIN, "Associate an endpoint group with a project",
         f"PUT {_GROUP_IN_PROJECT}", scopes=CLOUD),
    rule("identity:remove_endpoint_group_from_project", ADMIN, "Dissociate an endpoint group from a project",
         f"DELETE {_GROUP_IN_PROJECT}", scopes=CLOUD),
    rule("identity:list_projects_for_endpoint", READER, "List the projects associated with an endpoint",
         f"GET {_BASE}/endpoints/{{endpoint_id}}/projects", scopes=CLOUD),
    rule("identity:add_endpoint_to_project", ADMIN, "Associate an endpoint with a project", f"PUT {_ENDPOINT_IN_PROJECT}",
         scopes=CLOUD),
    rule("identity:check_endpoint_in_project", READER, "Check whether a project is associated with an endpoint",
         f"GET {_ENDPOINT_IN_PROJECT}", scopes=CLOUD),
    rule("identity:list_endpoints_for_project", READER, "List the endpoints associated with a project",
         f"GET {_PROJECT}/endpoints", scopes=CLOUD),
    rule("identity:remove_endpoint_from_project", ADMIN, "Dissociate an endpoint from a project",
         f"DELETE {_ENDPOINT_IN_PROJECT}", scopes=CLOUD),
]

"""Groups of endpoints, and which endpoints and groups a project is given."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_BASE = "/v3/OS-EP-FILTER"
_GROUPS, _GROUP = f"{_BASE}/endpoint_groups", _BASE + "/endpoint_groups/{endpoint_group_id}"
_GROUP_IN_PROJECT = _GROUP + "/projects/{project_id}"
_PROJECT = _BASE + "/projects/{project_id}"
_ENDPOINT_IN_PROJECT = _PROJECT + "/endpoints/{endpoint_id}"
RULES = [
    rule("identity:create_endpoint_group", ADMIN, "make a group of endpoints", f"POST {_GROUPS}", scopes=CLOUD),
    rule("identity:list_endpoint_groups", READER, "list groups of endpoints", f"GET {_GROUPS}", scopes=CLOUD),
    rule("identity:get_endpoint_group", READER, "show a group of endpoints", f"GET {_GROUP}", scopes=CLOUD),
    rule("identity:update_endpoint_group", ADMIN, "change a group of endpoints", f"PATCH {_GROUP}", scopes=CLOUD),
    rule("identity:delete_endpoint_group", ADMIN, "delete a group of endpoints", f"DELETE {_GROUP}", scopes=CLOUD),
    rule("identity:list_projects_associated_with_endpoint_group", READER, "list the projects that are given a group of endpoints",
         f"GET {_GROUP}/projects", scopes=CLOUD),
    rule("identity:list_endpoints_associated_with_endpoint_group", READER, "list the endpoints in a group",
         f"GET {_GROUP}/endpoints", scopes=CLOUD),
    rule("identity:get_endpoint_group_in_project", READER, "see whether a project is given a group of endpoints",
         f"GET {_GROUP_IN_PROJECT}", scopes=CLOUD),
    rule("identity:list_endpoint_groups_for_project", READER, "list the groups of endpoints that a project is given",
         f"GET {_PROJECT}/endpoint_groups", scopes=CLOUD),
    rule("identity:add_endpoint_group_to_project", ADMIN, "give a project a group of endpoints", f"PUT {_GROUP_IN_PROJECT}",
         scopes=CLOUD),
    rule("identity:remove_endpoint_group_from_project", ADMIN, "take a group of endpoints from a project",
         f"DELETE {_GROUP_IN_PROJECT}", scopes=CLOUD),
    rule("identity:list_projects_for_endpoint", READER, "list the projects that are given an endpoint",
         f"GET {_BASE}/endpoints/{{endpoint_id}}/projects", scopes=CLOUD),
    rule("identity:add_endpoint_to_project", ADMIN, "give a project an endpoint", f"PUT {_ENDPOINT_IN_PROJECT}", scopes=CLOUD),
    rule("identity:check_endpoint_in_project", READER, "see whether a project is given an endpoint",
         f"GET {_ENDPOINT_IN_PROJECT}", scopes=CLOUD),
    rule("identity:list_endpoints_for_project", READER, "list the endpoints that a project is given",
         f"GET {_PROJECT}/endpoints", scopes=CLOUD),
    rule("identity:remove_endpoint_from_project", ADMIN, "take an endpoint from a project", f"DELETE {_ENDPOINT_IN_PROJECT}",
         scopes=CLOUD),
]

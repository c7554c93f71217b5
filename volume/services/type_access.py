"""Projects that may use a private volume type. They are not looked up, so access can be given before a project exists."""

from common import errors
from common.calls import Call
from volume.db import types


def index(call: Call, id: str) -> list[str]:
    """The projects with access to a private type."""
    call.svc.policy.check(call.ctx, "volume_extension:volume_type_access:get_all_for_type")
    with call.svc.db.reader() as connection:
        row, found = types.get(connection, id), types.projects(connection, id)
    if row["is_public"]:
        raise errors.NotFound("Access list not available for public volume types.")
    return found


# action: its change to the list of projects; the rule is named like the action
_CHANGES = {"addProjectAccess": types.give, "removeProjectAccess": types.take}
ACTIONS = tuple(_CHANGES)


def change(call: Call, id: str, action: str, project_id: str) -> None:
    call.svc.policy.check(call.ctx, f"volume_extension:volume_type_access:{action}")
    call.svc.db.transact(_change, id, action, project_id)


def _change(connection, id: str, action: str, project_id: str) -> None:
    if types.get(connection, id)["is_public"]:
        raise errors.BadRequest("Invalid volume type: Type access modification is not applicable to public volume type.")
    _CHANGES[action](connection, id, project_id)

"""Projects in requests, checked with the identity service."""

from common import errors
from common.calls import Call
from common.rest import path


def check(call: Call, project_id: str) -> None:
    """Check that a project exists, if the caller may ask the identity service; otherwise it is assumed to.

    :raises BadRequest: there is none
    """
    if project_id == call.ctx.project_id:
        return
    try:
        call.svc.rest.request("GET", "identity", path("/v3/projects/{id}", project_id), ctx=call.ctx)
    except errors.NotFound:
        raise errors.BadRequest(f"Project ID {project_id} is not a valid project.") from None
    except errors.Error:  # the caller may not ask, or identity is away
        return

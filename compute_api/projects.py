"""Projects that a request names, as the identity service knows them."""

from common import errors
from common.calls import Call
from common.rest import path


def check(call: Call, project_id: str) -> None:
    """Whether there is such a project, as far as identity tells the caller; what it does not tell is believed.

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

"""Every error that a client or another service can receive, declared once.

``status`` is the HTTP status, ``message`` the public text (a %-template for the keyword arguments), ``kind`` the type shown by
Neutron, and ``internal`` a text for the log only. A class exists only if a caller reacts to it differently.
"""


class Error(Exception):
    status = 500
    kind = "InternalError"
    message = "The server encountered an unexpected condition."

    def __init__(self, text: str | None = None, *, internal: str | None = None, **arguments) -> None:
        if "kind" in arguments:  # the name by which Neutron's clients distinguish errors
            self.kind = arguments.pop("kind")
        self.arguments = arguments
        self.internal = internal
        self.public = text if text is not None else (self.message % arguments if arguments else self.message)
        # oslo.messaging rebuilds exceptions from (str, kwargs), so a positional text must suffice.
        super().__init__(self.public)

    def __str__(self):
        return self.public


class BadRequest(Error):
    status, kind, message = 400, "BadRequest", "The request is not valid."


class Unauthorized(Error):
    status, kind = 401, "Unauthorized"
    message = "The request you have made requires authentication."


class Forbidden(Error):
    status, kind = 403, "PolicyNotAuthorized"
    message = "Policy doesn't allow %(rule)s to be performed."


class QuotaExceeded(Error):
    status, kind = 403, "OverQuota"
    message = "Quota exceeded for %(resource)s: Requested %(requested)s, but already used %(used)s of %(limit)s %(resource)s."


class NotFound(Error):
    status, kind, message = 404, "NotFound", "%(resource)s %(id)s could not be found."


class MethodNotAllowed(Error):
    status, kind, message = 405, "MethodNotAllowed", "The method is not allowed for this resource."


class NotAcceptable(Error):
    status, kind, message = 406, "NotAcceptable", "Version is not supported by the API."


class Conflict(Error):
    status, kind, message = 409, "Conflict", "The request conflicts with the state of the resource."


class InvalidState(Conflict):
    kind = "InvalidState"
    message = "Cannot '%(action)s' %(resource)s %(id)s while it is in %(attr)s %(state)s"


class InUse(Conflict):
    kind = "InUse"
    message = "%(resource)s %(id)s is in use."


class Gone(Error):
    status, kind, message = 410, "Gone", "This resource is no longer available."


class PreconditionFailed(Error):
    status, kind, message = 412, "PreconditionFailed", "A precondition of the request failed."


class TooLarge(Error):
    status, kind, message = 413, "RequestTooLarge", "The request is too large."


class UnsupportedMediaType(Error):
    status, kind, message = 415, "UnsupportedMediaType", "The media type is not supported."


class RangeNotSatisfiable(Error):
    status, kind, message = 416, "RangeNotSatisfiable", "The range cannot be served."


class NotSupported(Error):
    status, kind, message = 501, "NotSupported", "The requested functionality is not supported."


class ServiceUnavailable(Error):
    status, kind = 503, "ServiceUnavailable"
    message = "A service that this request needs does not respond: %(part)s. Try again in a moment."


class ServiceTooOld(ServiceUnavailable):
    """The request would need an RPC method that an older daemon does not have."""

    kind = "ServiceTooOld"
    message = "%(part)s runs an older release that does not support this. Try again after it has been upgraded."


class InvalidMessage(Error):
    """An RPC message or a journal record does not have its declared shape."""

    kind, message = "InvalidMessage", "A service sent an invalid message."


class StorageFull(Error):
    status, kind, message = 413, "StorageFull", "There is not enough space to store what was sent."


class IpAddressGenerationFailure(Conflict):
    kind, message = "IpAddressGenerationFailure", "No more IP addresses available on network %(id)s."


class NoValidHost(Error):
    status, kind, message = 500, "NoValidHost", "No valid host was found. %(reason)s"


class StepFailed(Error):
    """A step of a task failed for a reason that the user may read."""

    kind, message = "StepFailed", "%(reason)s"


class Superseded(Error):
    """A task was superseded, for example by a delete of its server: it stops without an error, and undoes nothing that the other
    needs."""

    status, kind, message = 409, "Superseded", "Another operation has taken over."


REMOTE_MODULES = ["common.errors"]
BY_STATUS = {c.status: c for c in (BadRequest, Unauthorized, Forbidden, NotFound, Conflict, QuotaExceeded,
                                   TooLarge, ServiceUnavailable, PreconditionFailed, NotAcceptable)}
BY_STATUS[403] = Forbidden


def from_status(status: int, text: str) -> Error:
    """The declared error for the status of another service's response."""
    return BY_STATUS.get(status, ServiceUnavailable if status >= 500 else BadRequest)(text)

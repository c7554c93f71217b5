"""Who asks, and under which request id: an immutable value that goes through REST, bus and logs."""

import dataclasses
import threading
import uuid

import msgspec

from common import errors

_current = threading.local()


def new_request_id() -> str:
    return f"req-{uuid.uuid4()}"


def _frozen(value):
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


@dataclasses.dataclass(frozen=True)
class Context:
    """One caller. All ids are strings, or None where the token has no such scope."""

    request_id: str = dataclasses.field(default_factory=new_request_id)
    global_request_id: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    user_domain_id: str | None = None
    user_domain_name: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    project_domain_name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None
    system: bool = False
    roles: tuple = ()
    trust: tuple = ()  # (trust id, trustor's user id, trustee's user id) of a token made of a trust
    app_credential: tuple = ()  # (id, whether it may not make others like it) of an application credential's token
    access_rules: tuple | None = None  # all that such a token may ask for: (service, method, path) each; None: anything
    oauth: tuple = ()  # (access token's id, consumer's id) of a token that a consumer got by OAuth
    federation: tuple = ()  # (identity provider's id, protocol's id) of a token that began with a federated login
    audit_ids: tuple = ()
    methods: tuple = ()
    issued_at: float = 0
    logged_in_at: float = 0  # when the first token was issued of those that this one was made of, one of another
    expires_at: float = 0
    token: str | None = dataclasses.field(default=None, repr=False)

    @property
    def trust_id(self) -> str | None:
        return self.trust[0] if self.trust else None

    @property
    def delegated(self) -> str | None:
        """What lets the caller act for a user, in words; None: it is the user."""
        kinds = (("a trust", self.trust), ("an application credential", self.app_credential), ("a consumer", self.oauth),
                 ("an EC2 key", "ec2credential" in self.methods))
        return next((text for text, of in kinds if of), None)

    @property
    def is_service(self) -> bool:
        return "service" in self.roles

    @property
    def trace_id(self) -> str:
        """The id under which the whole request can be followed through all services."""
        return self.global_request_id or self.request_id

    def redacted_copy(self) -> "Context":
        """As oslo.messaging asks of a context that goes into a notification: without the token."""
        return dataclasses.replace(self, token=None)

    def as_dict(self) -> dict:
        """Plain JSON for the bus; the token stays behind."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if k != "token"}

    @classmethod
    def from_dict(cls, values: dict) -> "Context":
        """:raises InvalidMessage: a value has another type than it should"""
        try:
            return msgspec.convert({k: _frozen(v) for k, v in values.items()}, cls)
        except (msgspec.ValidationError, AttributeError) as error:
            raise errors.InvalidMessage(internal=f"context: {error}") from error


def service_context(**values) -> Context:
    """The context of work that no user asked for (periodic tasks, agents)."""
    return Context(user_id="pileus", user_name="pileus", roles=("service",), **values)


def activate(context: Context | None) -> None:
    """Make the context the one that log lines of this thread carry."""
    _current.value = context


def active() -> Context | None:
    return getattr(_current, "value", None)


def new_uuid() -> str:
    return str(uuid.uuid4())


def new_hex() -> str:
    """An id in identity's style: 32 hex digits."""
    return uuid.uuid4().hex

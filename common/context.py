"""The request context: the caller and the request id, an immutable value passed through REST, bus and logs."""

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
    """A caller. All ids are strings, or None if the token does not have such a scope."""

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
    trust: tuple = ()  # (trust id, trustor's user id, trustee's user id) of a trust-scoped token
    app_credential: tuple = ()  # (id, unrestricted: may it create application credentials) of an application credential's token
    access_rules: tuple | None = None  # access rules: (service, method, path) each; None: unrestricted
    oauth: tuple = ()  # (access token id, consumer id) of an OAuth1 token
    federation: tuple = ()  # (identity provider id, protocol id) of a token from a federated login
    audit_ids: tuple = ()
    methods: tuple = ()
    issued_at: float = 0
    logged_in_at: float = 0  # when the first token of the chain was issued
    expires_at: float = 0
    by_service: bool = False  # another service sent the request for the caller, with its own token beside the caller's
    token: str | None = dataclasses.field(default=None, repr=False)

    @property
    def trust_id(self) -> str | None:
        return self.trust[0] if self.trust else None

    @property
    def delegated(self) -> str | None:
        """The kind of delegation by which the caller acts for a user, in words; None: no delegation."""
        kinds = (("a trust", self.trust), ("an application credential", self.app_credential), ("a consumer", self.oauth),
                 ("an EC2 key", "ec2credential" in self.methods))
        return next((text for text, of in kinds if of), None)

    @property
    def is_service(self) -> bool:
        return "service" in self.roles

    @property
    def trace_id(self) -> str:
        """The id that identifies the whole request in all services."""
        return self.global_request_id or self.request_id

    def redacted_copy(self) -> "Context":
        """The context without its token, as oslo.messaging requires for notifications."""
        return dataclasses.replace(self, token=None)

    def as_dict(self) -> dict:
        """The context as JSON for the bus, without the token."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if k != "token"}

    @classmethod
    def from_dict(cls, values: dict) -> "Context":
        """:raises InvalidMessage: a value has the wrong type"""
        try:
            return msgspec.convert({k: _frozen(v) for k, v in values.items()}, cls)
        except (msgspec.ValidationError, AttributeError) as error:
            raise errors.InvalidMessage(internal=f"context: {error}") from error


def service_context(**values) -> Context:
    """A context for work without a user request (periodic tasks, agents)."""
    return Context(user_id="pileus", user_name="pileus", roles=("service",), **values)


def activate(context: Context | None) -> None:
    """Make the context the active one of this thread, whose request id the log shows."""
    _current.value = context


def active() -> Context | None:
    return getattr(_current, "value", None)


def new_uuid() -> str:
    return str(uuid.uuid4())


def new_hex() -> str:
    """An id in identity's format: 32 hex digits."""
    return uuid.uuid4().hex

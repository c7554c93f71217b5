"""What functions below the handlers receive instead of a request: the caller and the service."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a service; ``svc`` has the database, the policy and the configuration.

    ``version`` is the negotiated microversion, as (major, minor), or None for APIs without microversions.
    """

    svc: typing.Any
    ctx: typing.Any  # a Context
    version: tuple[int, int] = (0, 0)

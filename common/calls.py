"""What functions beneath handlers are given in place of a request: who asks which service."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True)
class Call:
    """One caller of one service: ``svc`` has the database, the policy and the configuration.

    ``version`` is the microversion, as (major, minor), of what the caller wants to be done; classic APIs have none.
    """

    svc: typing.Any
    ctx: typing.Any  # a Context
    version: tuple[int, int] = (0, 0)

"""What a host remembers of the last step of an operation that it has done for a server, until any other work on that server.

It stands for an answer of the conductor: since that step, nothing was done here for the server. An agent that was restarted
remembers nothing, and asks.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class LastStep:
    """``step``: a method of ``HostSteps``, which has succeeded; ``ports``: as the network service showed them afterwards, as of
    ``Ports.existing``, or None; ``result``: what it returned."""

    operation_id: str
    number: int
    step: str
    instance: dict | None
    ports: tuple[list[dict], list[dict]] | None = None
    result: dict | None = None

    def is_at(self, operation_id: str, number: int) -> bool:
        """Whether it is this step of an operation."""
        return (self.operation_id, self.number) == (operation_id, number)

    def is_before(self, operation_id: str, number: int) -> bool:
        """Whether a step of an operation is the next one."""
        return (self.operation_id, self.number + 1) == (operation_id, number)

"""What a compute agent does first when it starts, or when it could not report for a while."""

import logging
import threading

from common import context, errors

LOG = logging.getLogger(__name__)


class Fence:
    """While a host is down, its servers may be evacuated: they run elsewhere, with its volumes and ports. When it returns, it
    removes what it has of them before it reports anything or starts a guest.
    """

    def __init__(self, agent):
        self.agent = agent
        self.passed = threading.Event()  # set when this is done after the start of the agent

    def pass_through(self) -> bool:
        """Remove what is left here of servers that have left this host; returns whether guests may be started.

        :raises ServiceUnavailable: the conductor does not respond; nothing may be reported or started
        """
        agent, removed = self.agent, set[str]()
        while True:
            answer = self._ask(sorted(removed))
            left = set(answer["left"]) - removed
            if not left:
                self.passed.set()
                return answer["may_start"]
            for uuid in sorted(left):
                LOG.warning("instance %s has left this host while it was not heard of: removing its guest and files", uuid)
                with agent.lock(uuid):
                    agent.last_steps.pop(uuid, None)
                    agent.driver.destroy(uuid)
                    agent.driver.remove_files(uuid)
            removed |= left

    def _ask(self, removed: list[str]) -> dict:
        try:
            return self.agent.conductor.host_returns(context.service_context(), self.agent.conf.host, removed)
        except errors.ServiceTooOld:  # a conductor of the release before evacuates nothing
            return {"left": [], "may_start": True}

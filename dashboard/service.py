"""The dashboard daemon. It has no database: all data comes from the APIs, and a session is stored in its browser."""

import logging
import time

from common import context, errors
from common.changes import Changes
from common.rest import path
from common.rpcapi import WatchersAPI
from common.service import Service
from dashboard import conf
from dashboard.live import Manager, Pulse, Streams
from dashboard.regions import Regions
from dashboard.session import Ended, Seal, Session, is_alive
from dashboard.throttle import Throttle


class Dashboard(Service):
    name, conf_name = "dashboard", "dashboard"
    api, default_port, opts = "dashboard", 8080, conf.OPTS
    interface, rpc_threads = WatchersAPI, 2
    verifies_tokens = False
    optional_ports = ("dashboard-http",)
    log = logging.getLogger("dashboard")

    @classmethod
    def extra_ports(cls, conf) -> dict[str, int]:
        return {"dashboard-http": conf.dashboard.http_port} if conf.dashboard.http_port else {}

    def setup(self) -> None:
        of = self.conf.dashboard
        self.watchers, self.changes = WatchersAPI(self.conf), Changes(self.conf)
        self.seal, self.ended = Seal(of.secret, of.session_s), Ended(self._tell_ended)
        self.throttle = Throttle({"account": of.login_attempts, "source": of.login_attempts_of_source}, of.login_window_s)
        self.regions = Regions(self)
        self.streams = Streams(self._is_over, lambda session: is_alive(self.rest, session))
        self.periodics.append(Pulse(self.watchers, self.streams))

    def _is_over(self, session: Session) -> bool:
        return session.id in self.ended or session.expires_at <= time.time()

    def _tell_ended(self, session_id: str, until: float) -> None:
        try:
            self.watchers.session_ended(context.service_context(), session_id, until)
        except errors.Error as error:  # identity refuses its tokens, which streams notice a little later
            self.log.warning("other processes were not told of a logout: %s", error.internal or error)

    def endpoint(self):
        return Manager(self.streams, self.ended)

    def health(self) -> list[str]:
        try:
            self.rest.anonymous("GET", "identity", path("/v3"))
        except errors.Error:
            return ["the identity service does not respond"]
        return []

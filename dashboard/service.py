"""The dashboard daemon. It has no database: all data comes from the APIs, and a session is stored in its browser."""

import logging

from common import errors
from common.rest import path
from common.service import Service
from dashboard import conf
from dashboard.session import Ended, Seal
from dashboard.throttle import Throttle


class Dashboard(Service):
    name, conf_name = "dashboard", "dashboard"
    api, default_port, opts = "dashboard", 8080, conf.OPTS
    verifies_tokens = False
    optional_ports = ("dashboard-http",)
    log = logging.getLogger("dashboard")

    @classmethod
    def extra_ports(cls, conf) -> dict[str, int]:
        return {"dashboard-http": conf.dashboard.http_port} if conf.dashboard.http_port else {}

    def setup(self) -> None:
        of = self.conf.dashboard
        self.seal, self.ended = Seal(of.secret, of.session_s), Ended()
        self.throttle = Throttle({"account": of.login_attempts, "source": of.login_attempts_of_source}, of.login_window_s)

    def health(self) -> list[str]:
        try:
            self.rest.anonymous("GET", "identity", path("/v3"))
        except errors.Error:
            return ["the identity service does not respond"]
        return []

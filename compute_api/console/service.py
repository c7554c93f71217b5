"""The console proxy daemon. It connects browsers that present a token of the compute API to the console of that token."""

from common.service import Service
from compute_agent.rpcapi import AgentAPI
from compute_api.console import conf, places
from conductor.db import hosts

MAX_CONSOLES = 400  # per process, whose HTTP server handles 512 connections; the others are for pages
MAX_CONSOLES_OF_USER = 50  # per process


class ConsoleProxy(Service):
    name, conf_name, db_name = "console-proxy", "console", "compute"
    api, default_port, opts = "console", 6080, conf.OPTS
    verifies_tokens = False  # tokens of consoles are not tokens of identity

    def setup(self) -> None:
        self.places = places.Places(MAX_CONSOLES, MAX_CONSOLES_OF_USER)
        self.agents = AgentAPI(self.conf, lambda: hosts.compute_versions(self.db))

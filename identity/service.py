"""The identity daemon."""

import logging
import time

from common import periodic, policy, tokens
from common.service import Service
from common.vault import Vault
from identity import conf, policies
from identity.authentication import Authenticator
from identity.catalog import Catalog
from identity.compliance import Compliance
from identity.db import revocations
from identity.directory import Directories
from identity.federation import Federation
from identity.keys import KeyRing
from identity.passwords import Passwords

LOG = logging.getLogger(__name__)


class Policy(policy.Policy):
    refusal = "You are not authorized to perform the requested action: %(rule)s."


class OwnRevocations(periodic.Periodic):
    """Each identity worker reads the events written by the other workers."""

    interval_s, jitter_s, every_worker = 0.5, 0.0, True

    def __init__(self, service):
        self.service = service
        self.events: dict[int, dict] = {}
        self.read_at = float("-inf")  # time.monotonic() of this process's last read of the others' events

    def run_once(self) -> None:
        with self.service.db.reader() as connection:
            events = revocations.after(connection, self.service.verifier.revocations.last_id)
        self.service.verifier.revocations.add(events)
        self.events.update((e["id"], e) for e in events)
        for event_id in [i for i, e in self.events.items() if e["expires_at"] < time.time()]:
            del self.events[event_id]
        self.service.verifier.keys = self.service.keys.public()
        self.read_at = time.monotonic()


class IdentityApi(Service):
    name, conf_name, db_name = "identity-api", "identity", "identity"
    api, default_port, opts = "identity", 5000, conf.OPTS
    verifies_tokens = False  # the identity service has its own verifier, fed from its database

    @classmethod
    def extra_ports(cls, conf) -> dict[str, int]:
        """The admin port of v2.0, for old clients."""
        return {"admin": conf.identity.admin_port}

    def setup(self) -> None:
        self.policy = Policy("identity", policies.RULES, self.conf)
        self.keys = KeyRing(f"{self.conf.state_path}/identity/keys")
        self.passwords = Passwords(self.conf.identity.password_hash_rounds, self.conf.identity.max_password_length)
        self.compliance = Compliance(self.conf, self.passwords)
        self.vault = Vault(f"{self.conf.state_path}/identity/credential-keys")
        self.federation = Federation(self)
        self.directories = Directories(self)
        self.catalog = Catalog(self.db, self.conf.catalog.template_file if self.conf.catalog.driver == "templated" else None)
        self.verifier = tokens.Verifier(self.keys.public())
        self.revocations = OwnRevocations(self)
        self.periodics.append(self.revocations)
        self.authenticator = Authenticator(self)

    def started(self) -> None:
        if not self.keys.private():
            self.keys.rotate()
        if self.conf.identity.admin_token:
            LOG.warning("[identity] admin_token is set: anybody who knows it is an administrator")

    def revoke(self, connection, **names) -> None:
        """Write a revocation event in the caller's transaction."""
        revocations.add(connection, self.conf.identity.token_expiration, **names)

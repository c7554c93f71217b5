"""The identity daemon."""

import time

from common import periodic, policy, tokens
from common.service import Service
from identity import conf, policies
from identity.compliance import Compliance
from identity.db import revocations
from identity.keys import KeyRing
from identity.passwords import Passwords
from identity.tokens import Authenticator
from identity.vault import Vault


class OwnRevocations(periodic.Periodic):
    """Each identity worker reads the events that the others wrote."""

    interval_s, jitter_s = 0.5, 0.0

    def __init__(self, service):
        self.service = service
        self.events: dict[int, dict] = {}

    def run_once(self) -> None:
        with self.service.db.reader() as connection:
            events = revocations.after(connection, self.service.verifier.revocations.last_id)
        self.service.verifier.revocations.add(events)
        self.events.update((e["id"], e) for e in events)
        for event_id in [i for i, e in self.events.items() if e["expires_at"] < time.time()]:
            del self.events[event_id]
        self.service.verifier.keys = self.service.keys.public()


class IdentityApi(Service):
    name, conf_name, db_name = "identity-api", "identity", "identity"
    api, default_port, opts = "identity", 5000, conf.OPTS
    verifies_tokens = False  # it has a verifier of its own, fed from its database

    def setup(self) -> None:
        self.policy = policy.Policy("identity", policies.RULES, self.conf)
        self.keys = KeyRing(f"{self.conf.state_path}/identity/keys")
        self.passwords = Passwords(self.conf.identity.password_hash_rounds, self.conf.identity.max_password_length)
        self.compliance = Compliance(self.conf, self.passwords)
        self.vault = Vault(f"{self.conf.state_path}/identity/credential-keys")
        self.verifier = tokens.Verifier(self.keys.public())
        self.revocations = OwnRevocations(self)
        self.periodics.append(self.revocations)
        self.authenticator = Authenticator(self)

    def revoke(self, connection, **names) -> None:
        """Write a revocation event in the caller's transaction."""
        revocations.add(connection, self.conf.identity.token_expiration, **names)

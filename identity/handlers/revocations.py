"""The feed of revocation events and public keys, polled by services."""

import time

from common import errors, wsgi
from identity.db import revocations


def events(req):
    req.svc.policy.check(req.ctx, "identity:list_revoke_events", {})
    if time.monotonic() - req.svc.revocations.read_at > req.svc.conf.service_auth.max_silence:
        # Other workers may still reach the database and revoke tokens, so an error is returned instead of an empty
        # list.
        raise errors.ServiceUnavailable(part="the database of the identity service")
    # A few events are repeated, because transactions may commit out of order.
    after = wsgi.int_param(req, "after", 0) - revocations.OVERLAP
    found = [e for i, e in sorted(req.svc.revocations.events.items()) if i > after]
    return {"events": [{k: v for k, v in e.items() if v is not None} for e in found], "keys": req.svc.keys.jwks()}

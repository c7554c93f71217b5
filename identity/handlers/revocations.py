"""The feed that services pull: revocation events and public keys."""

from common import wsgi
from identity.db import revocations


def events(req):
    req.svc.policy.check(req.ctx, "identity:list_revoke_events", {})
    after = wsgi.int_param(req, "after", 0)
    with req.svc.db.reader() as connection:
        found = revocations.after(connection, after)
    return {"events": [{k: v for k, v in e.items() if v is not None} for e in found], "keys": req.svc.keys.jwks()}

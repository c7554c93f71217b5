"""Rules of subnets. The owner of a network may do everything with the subnets on it."""

from common.policy import rule
from network.policies import base

_PATH = "/subnets"
_WRITE = f"{base.MEMBER} or ({base.ADMIN}) or ({base.MEMBER_OF_NETWORK})"
_READ = f"{base.READER} or rule:shared or rule:external_network or ({base.ADMIN}) or ({base.READER_OF_NETWORK})"
RULES = [
    rule("external_network", "field:subnets:router:external=True", "The subnet is on an external network"),
    *base.of_noun("subnet", _PATH, create=f"({base.ADMIN}) or ({base.MEMBER_OF_NETWORK})", get=f"{_READ} or {base.SERVICE}",
                  update=_WRITE, delete=_WRITE),
    *base.of_attributes("create", "subnet", _PATH, {"service_types": base.ADMIN}),
    *base.of_attributes("update", "subnet", _PATH, {"service_types": base.ADMIN, "segment_id": base.ADMIN}),
    *base.of_attributes("get", "subnet", _PATH, {"segment_id": base.ADMIN}),
    *base.tags("subnet", f"{_PATH}/{{id}}", read=_READ, write=_WRITE)]

"""Rules of subnet pools."""

from common.policy import rule
from network.policies import base

_PATH = "/subnetpools"
_READ = f"{base.ADMIN_OR_READER} or rule:shared_subnetpools"
RULES = [
    rule("shared_subnetpools", "field:subnetpools:shared=True", "The pool is shared with all projects"),
    *base.of_noun("subnetpool", _PATH, create=base.ADMIN_OR_MEMBER, get=_READ, update=base.ADMIN_OR_MEMBER,
                  delete=base.ADMIN_OR_MEMBER),
    *base.of_attributes("create", "subnetpool", _PATH, {"shared": base.ADMIN, "is_default": base.ADMIN}),
    *base.of_attributes("update", "subnetpool", _PATH, {"is_default": base.ADMIN}),
    *base.tags("subnetpool", f"{_PATH}/{{id}}", read=_READ)]

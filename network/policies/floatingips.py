"""Rules of floating IPs."""

from network.policies import base

_PATH = "/floatingips"
RULES = [
    *base.of_noun("floatingip", _PATH, create=base.ADMIN_OR_MEMBER, get=f"{base.ADMIN_OR_READER} or {base.SERVICE}",
                  update=base.ADMIN_OR_MEMBER, delete=base.ADMIN_OR_MEMBER),
    *base.of_attributes("create", "floatingip", _PATH, {"floating_ip_address": base.ADMIN_OR_MANAGER}),
    *base.tags("floatingip", f"{_PATH}/{{id}}")]

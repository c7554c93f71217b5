"""Rules of security groups and of the rules in them."""

from common.policy import rule
from network.policies import base

_PATH = "/security-groups"
_READ = f"{base.ADMIN_OR_READER} or rule:shared_security_group"
_WRITE_RULE = f"({base.ADMIN}) or (role:member and {base.GROUP_OWNER})"
RULES = [
    rule("admin_or_sg_owner", "rule:context_is_admin or rule:sg_owner",
         "Administrators, and users of the project that owns the security group"),
    rule("admin_owner_or_sg_owner", "rule:owner or rule:admin_or_sg_owner",
         "Administrators, and users of the project that owns the resource or its security group"),
    rule("shared_security_group", "field:security_groups:shared=True", "The security group is shared with the project"),
    *base.of_noun("security_group", _PATH, create=base.ADMIN_OR_MEMBER, get=_READ, update=base.ADMIN_OR_MEMBER,
                  delete=base.ADMIN_OR_MEMBER),
    *base.tags("security_group", f"{_PATH}/{{id}}", read=_READ),
    *base.of_noun("security_group_rule", "/security-group-rules", create=_WRITE_RULE, delete=_WRITE_RULE,
                  get=f"({base.ADMIN}) or (role:reader and {base.GROUP_OWNER})")]

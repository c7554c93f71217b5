"""Rules of the volume service."""

RULES = [
    ("volume:get_all", "rule:reader", "list volumes"), ("volume:get", "rule:reader or rule:service", "show a volume"),
    ("volume:create", "rule:member", "create a volume"), ("volume:update", "rule:member", "change a volume"),
    ("volume:create_snapshot", "rule:member or rule:service", "create a snapshot of a volume"),
    ("volume:delete", "rule:member or rule:service", "delete a volume"), ("volume:extend", "rule:member", "grow a volume"),
    ("volume:reset_status", "rule:admin", "set a volume's status"),
    ("volume:force_delete", "rule:service", "delete a volume in any state"),
    ("volume:attachment", "rule:member or rule:service", "attach and detach"),
    ("volume:connection", "rule:service", "see how an attachment is reached, secrets and all"),
    ("volume_type:get", "", "see volume types"), ("volume_type:manage", "rule:admin", "change volume types"),
    ("quota:get", "rule:reader", "see quotas"), ("quota:update", "rule:admin", "change quotas"),
    ("service:get", "rule:admin", "see services"), ("service:update", "rule:admin", "change services"),
]

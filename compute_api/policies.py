"""Rules of the compute service."""

RULES = [
    ("servers:index", "rule:reader", "list servers"), ("servers:all", "rule:admin", "list servers of all projects"),
    ("servers:show", "rule:reader", "show a server"), ("servers:create", "rule:member", "create servers"),
    ("servers:create:host", "rule:admin", "create a server on a host of one's choice"),
    ("servers:update", "rule:member", "change a server"), ("servers:delete", "rule:member", "delete a server"),
    ("servers:action", "rule:member", "start, stop, reboot, lock"),
    ("servers:unlock_override", "rule:admin", "act on a server that somebody else locked"),
    ("servers:reset_state", "rule:admin", "set a server's state"),
    ("servers:extended", "rule:admin", "see hosts and internal names"),
    ("servers:events_details", "rule:admin", "see where an event happened"),
    ("volumes_attachments", "rule:member", "attach and detach volumes"),
    ("interfaces", "rule:member", "attach and detach interfaces"),
    ("flavors:get", "", "see flavors"), ("flavors:manage", "rule:admin", "change flavors"),
    ("keypairs", "user_id:%(user_id)s or rule:admin", "use key pairs"),
    ("services", "rule:admin", "see and change services"), ("hypervisors", "rule:admin", "see hypervisors"),
    ("quotas:show", "rule:reader", "see quotas"), ("quotas:update", "rule:admin", "change quotas"),
    ("server_groups", "rule:member", "use server groups"),
    ("external_events", "rule:service", "report events of other services"),
]

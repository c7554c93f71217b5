"""Rules of the network service."""

_OWNED = ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule", "subnetpool")
RULES = [(f"{verb}_{noun}", "rule:reader" if verb == "get" else "rule:member", f"{verb} a {noun}")
         for noun in _OWNED for verb in ("get", "create", "update", "delete")]
RULES += [(f"{verb}_network:{name}", "rule:admin", f"set {name} of a network")
          for verb in ("create", "update") for name in (
              "shared", "router:external", "is_default", "provider:network_type", "provider:physical_network",
              "provider:segmentation_id")]
RULES += [(f"{verb}_subnetpool:{name}", "rule:admin", f"set {name} of a subnet pool")
          for verb in ("create", "update") for name in ("shared", "is_default")]
RULES += [(f"{verb}_router:distributed", "rule:admin", "put a router on every host, or on one")
          for verb in ("create", "update")]
RULES += [(f"{verb}_port:{name}", "rule:service", f"set {name} of a port")
          for verb in ("create", "update") for name in ("binding:host_id", "binding:profile")]
RULES += [(f"{verb}_{noun}", "rule:admin", f"{verb} a {noun.replace('_', ' ')}")
          for noun in ("metering_label", "metering_label_rule") for verb in ("get", "create", "delete")]
RULES += [
    ("get_agent", "rule:admin", "see agents"), ("update_agent", "rule:admin", "change an agent"),
    ("delete_agent", "rule:admin", "forget an agent"),
    ("get_quota", "rule:reader", "see quotas"), ("update_quota", "rule:admin", "change quotas"),
    ("get_network_ip_availability", "rule:admin", "see how full networks are"),
]

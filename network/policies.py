"""Rules of the network service, named as OpenStack names them: a resource, or an attribute of one, by verb.

Beside the resource's own project, a rule may ask for the network that a port or a subnet is on: ``network:project_id``,
``network:shared``. Attributes without a rule of their own are free to whoever may create or update the resource.
"""

_PROJECT_MEMBER = "rule:member"
_NETWORK_OWNER = "rule:network_owner_member"
_ADMIN_OR_PROJECT_MANAGER = "rule:admin or role:manager and project_id:%(project_id)s"
_SERVICE_OR_NETWORK_OWNER = f"rule:service or {_NETWORK_OWNER}"
_SHARED = f"{_PROJECT_MEMBER} and rule:shared"

# Names that operators' files may use, because OpenStack's have them.
RULES = [
    ("context_is_admin", "role:admin", "an administrator"), ("admin_only", "rule:context_is_admin", "an administrator"),
    ("network_owner", "project_id:%(network:project_id)s", "owns the network concerned"),
    ("admin_or_network_owner", "rule:context_is_admin or rule:network_owner", "either of these"),
    ("shared", "True:%(network:shared)s", "the network concerned is everybody's"), ("regular_user", "", "anybody")]
RULES += [
    ("network_owner_member", "role:admin or (role:member or role:manager) and rule:network_owner",
     "may write, and owns the network concerned"),
    ("network_device", "True:%(network_device)s", "device_owner begins with network:")]
RULES += [(f"{verb}_{noun}", "rule:reader" if verb == "get" else _PROJECT_MEMBER, f"{verb} a {noun}")
          for noun in ("network", "router", "floatingip", "security_group", "security_group_rule", "subnetpool")
          for verb in ("get", "create", "update", "delete")]
RULES += [(f"{verb}_network:{name}", "rule:admin", f"set {name} of a network")
          for verb in ("create", "update") for name in (
              "shared", "router:external", "is_default", "segments", "provider:network_type", "provider:physical_network",
              "provider:segmentation_id")]
RULES += [(f"get_network:provider:{name}", "rule:service", f"see provider:{name} of a network")
          for name in ("network_type", "physical_network", "segmentation_id")]
RULES += [(f"{verb}_network:port_security_enabled", _PROJECT_MEMBER, "switch port security of a network's new ports")
          for verb in ("create", "update")]
RULES += [
    ("get_subnet", "rule:reader", "see a subnet"), ("create_subnet", _NETWORK_OWNER, "create a subnet"),
    ("update_subnet", f"{_PROJECT_MEMBER} or {_NETWORK_OWNER}", "update a subnet"),
    ("delete_subnet", f"{_PROJECT_MEMBER} or {_NETWORK_OWNER}", "delete a subnet")]
RULES += [(f"{verb}_subnet:{name}", "rule:admin", f"set {name} of a subnet")
          for verb in ("create", "update") for name in ("segment_id", "service_types")]
RULES += [
    ("get_port", "rule:service or rule:reader", "see a port"),
    ("create_port", f"{_SERVICE_OR_NETWORK_OWNER} or {_SHARED}", "create a port"),
    ("update_port", f"rule:service or {_PROJECT_MEMBER}", "update a port"),
    ("delete_port", f"{_SERVICE_OR_NETWORK_OWNER} or {_PROJECT_MEMBER}", "delete a port"),
    ("create_port:fixed_ips", f"{_SERVICE_OR_NETWORK_OWNER} or {_SHARED}", "choose a new port's addresses or subnets"),
    ("update_port:fixed_ips", _SERVICE_OR_NETWORK_OWNER, "change a port's addresses"),
    ("update_port:mac_address", "rule:service or role:manager and project_id:%(network:project_id)s", "change a port's MAC"),
    ("create_port:mac_address", _SERVICE_OR_NETWORK_OWNER, "choose a new port's MAC")]
RULES += [(f"{verb}_port:{name}", rule, f"set {name} of a port") for verb in ("create", "update") for name, rule in (
    ("device_id", f"rule:service or {_PROJECT_MEMBER}"),
    ("device_owner", f"not rule:network_device or {_SERVICE_OR_NETWORK_OWNER}"),
    ("fixed_ips:ip_address", _SERVICE_OR_NETWORK_OWNER),
    ("fixed_ips:subnet_id", f"{_SERVICE_OR_NETWORK_OWNER} or {_SHARED}"),
    ("port_security_enabled", _SERVICE_OR_NETWORK_OWNER),
    ("allowed_address_pairs", _SERVICE_OR_NETWORK_OWNER), ("allowed_address_pairs:mac_address", _SERVICE_OR_NETWORK_OWNER),
    ("allowed_address_pairs:ip_address", _SERVICE_OR_NETWORK_OWNER),
    ("binding:host_id", "rule:service"), ("binding:profile", "rule:service"),
    ("binding:vnic_type", f"rule:service or {_PROJECT_MEMBER}"))]
RULES += [(f"get_port:binding:{name}", "rule:service", f"see binding:{name} of a port")
          for name in ("host_id", "profile", "vif_type", "vif_details")]
RULES += [(f"{verb}_router:{name}", rule, f"set {name} of a router") for verb in ("create", "update") for name, rule in (
    ("distributed", "rule:admin"), ("ha", "rule:admin"), ("external_gateway_info", _PROJECT_MEMBER),
    ("external_gateway_info:network_id", _PROJECT_MEMBER), ("external_gateway_info:enable_snat", "rule:admin"),
    ("external_gateway_info:external_fixed_ips", "rule:admin"))]
RULES += [(f"get_router:{name}", "rule:admin", f"see {name} of a router") for name in ("distributed", "ha")]
RULES += [(name, _PROJECT_MEMBER, name.replace("_", " ")) for name in (
    "add_router_interface", "remove_router_interface", "add_extraroutes", "remove_extraroutes")]
RULES += [("create_floatingip:floating_ip_address", _ADMIN_OR_PROJECT_MANAGER, "choose the address of a floating IP")]
RULES += [(f"{verb}_subnetpool:{name}", "rule:admin", f"set {name} of a subnet pool")
          for verb in ("create", "update") for name in ("shared", "is_default")]
RULES += [(f"{verb}_{noun}", "rule:admin", f"{verb} a {noun.replace('_', ' ')}")
          for noun in ("metering_label", "metering_label_rule") for verb in ("get", "create", "delete")]
RULES += [
    ("get_agent", "rule:admin", "see agents"), ("update_agent", "rule:admin", "change an agent"),
    ("delete_agent", "rule:admin", "forget an agent"),
    ("get_quota", "rule:reader", "see quotas"), ("update_quota", "rule:admin", "change quotas"),
    ("get_network_ip_availability", "rule:service", "see how full networks are"),
]

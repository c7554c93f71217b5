"""What differs from OpenStack's policies on purpose, with the reason: doc/policies.md shows these tables to operators."""

_OF_A_SERVICE = "The services' own users have the role service only, where OpenStack's are administrators too"

# service -> rule -> why its default, or the rule itself, is not OpenStack's.
MEANT: dict[str, dict[str, str]] = {
    "identity": {
    },
    "compute": {
    },
    "image": {
        **dict.fromkeys(("get_images", "get_image", "modify_image", "delete_image", "upload_image", "download_image",
                         "get_member"), _OF_A_SERVICE),
    },
    "volume": {
        **dict.fromkeys((
            "volume:get", "volume:delete", "volume:create_snapshot", "volume:get_snapshot", "volume:get_all_snapshots",
            "volume:delete_snapshot", "volume:attachment_create", "volume:attachment_update", "volume:attachment_delete",
            "volume:attachment_complete", "volume_extension:volume_admin_actions:force_delete",
            "volume_extension:volume_admin_actions:extend_volume_completion"), _OF_A_SERVICE),
        "service_api": "Cinder takes the other services for administrators; here they do with volumes what servers need",
        "volume:attachment_connection_info": "Cinder shows a volume's owner the secrets by which he could reach it beside his "
                                             "server; here services and administrators alone see them",
    },
    "network": {
        "get_floatingip": "compute's user has the role service alone, and reads the floating IPs of servers that metadata shows",
    },
}

_CERTIFICATES = "Signatures of images are not checked here: a request with certificates is refused with 400."
# service -> rule of OpenStack whose route Pileus has, but which cannot be asked here -> why.
NOT_ASKED: dict[str, dict[str, str]] = {
    "identity": {
    },
    "compute": {
        "compute:server:topology:host:index": "No guest has NUMA cells: a topology has nothing for operators alone.",
        "os_compute_api:servers:create:trusted_certs": _CERTIFICATES,
        "os_compute_api:servers:rebuild:trusted_certs": _CERTIFICATES,
    },
    "image": {
        "download_from_store": "A download cannot choose the store that it comes from",
        **dict.fromkeys(("get_task", "get_tasks", "add_task"), "Glance itself asks tasks_api_access alone"),
    },
    "volume": {
        "volume:multiattach": "No volume can be attached to several servers, so none is asked for",
        "volume:multiattach_bootable_volume": "No volume can be attached to several servers",
        "volume:update_volume_admin_metadata": "Cinder asks it of itself as an administrator, so it never refuses anybody",
    },
    # Attributes of extensions that are not built: nothing that could be sent or shown.
    "network": {name: reason for reason, names in {
        "a floating IP's router follows from its port": "create_floatingip:router_id update_floatingip:router_id",
        "networks have one segment each": "create_network:segments get_network:segments update_network:segments",
        "there are no hints for a switch": "create_port:hints get_port:hints update_port:hints",
        "there are no virtual functions of hardware": "create_port:trusted get_port:trusted update_port:trusted",
        "ports have no quality of service": "get_port:resource_request",
        "nobody outside reports on a port's traffic": "update_port:data_plane_status",
        "private VLANs are not built": "create_port:pvlan_type get_port:pvlan_type update_port:pvlan_type "
                                       "create_port:pvlan_community get_port:pvlan_community update_port:pvlan_community "
                                       "create_network:pvlan get_network:pvlan update_network:pvlan",
        "routers have no EVPN": "create_router:evpn_vni get_router:evpn_vni",
        "routers have one gateway each": "create_router:enable_default_route_bfd update_router:enable_default_route_bfd "
                                         "create_router:enable_default_route_ecmp update_router:enable_default_route_ecmp",
        "only the default may be sent, and that is not asked about": "create_subnet:segment_id create_port:binding:vnic_type",
        "routes go into no other network": "update_subnet:leak_routes"}.items() for name in names.split()},
}

"""The intended differences from OpenStack's policies, with reasons. doc/policies.md shows these tables to operators."""

_OF_A_SERVICE = "The users of Pileus' services have only the role service; those of OpenStack's services are administrators too"

# service -> rule -> why its default differs from OpenStack's, or why OpenStack has no such rule.
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
            "volume:multiattach_bootable_volume", "volume_extension:volume_actions:roll_detaching",
            "volume:reimage_reserved",
            "volume:attachment_complete", "volume_extension:volume_admin_actions:force_delete",
            "volume_extension:volume_admin_actions:extend_volume_completion"), _OF_A_SERVICE),
        "service_api": "Cinder treats other services as administrators; here they may only do with volumes what servers need",
        "volume:attachment_connection_info": "Cinder shows a volume's owner the secrets of all attachments; here only services "
                                             "and administrators see them, and who connects a host those of its connection",
    },
    "placement": {
    },
    "network": {
        "get_floatingip": "The compute service, whose user has only the role service, shows the floating IPs of servers in "
                          "their metadata",
    },
}

_CERTIFICATES = "Image signatures are not verified: a request with certificates is refused with 400"
# service -> a rule that OpenStack checks on a route that Pileus has too, and that Pileus does not check -> why.
NOT_ASKED: dict[str, dict[str, str]] = {
    "identity": {
    },
    "compute": {
        "compute:servers:resize:cross_cell": "All hosts are of one cell",
        "os_compute_api:servers:create:trusted_certs": _CERTIFICATES,
        "os_compute_api:servers:rebuild:trusted_certs": _CERTIFICATES,
    },
    "image": {
        "download_from_store": "A download cannot choose a store",
        **dict.fromkeys(("get_task", "get_tasks", "add_task"), "Glance itself checks only tasks_api_access"),
    },
    "volume": {
        "volume:update_volume_admin_metadata": "Cinder checks it with an administrator's context, so it never refuses a request",
    },
    "placement": {
    },
    # Attributes of extensions that Pileus does not have.
    "network": {name: reason for reason, names in {
        "The router of a floating IP follows from its port": "create_floatingip:router_id update_floatingip:router_id",
        "A network has one segment": "create_network:segments get_network:segments update_network:segments",
        "Ports have no hints": "create_port:hints get_port:hints update_port:hints",
        "Ports cannot be virtual functions of network cards": "create_port:trusted get_port:trusted update_port:trusted",
        "Ports have no quality of service": "get_port:resource_request",
        "Ports have no data plane status": "update_port:data_plane_status",
        "There are no private VLANs": "create_port:pvlan_type get_port:pvlan_type update_port:pvlan_type "
                                       "create_port:pvlan_community get_port:pvlan_community update_port:pvlan_community "
                                       "create_network:pvlan get_network:pvlan update_network:pvlan",
        "Routers have no EVPN": "create_router:evpn_vni get_router:evpn_vni",
        "A router has one gateway": "create_router:enable_default_route_bfd update_router:enable_default_route_bfd "
                                         "create_router:enable_default_route_ecmp update_router:enable_default_route_ecmp",
        "Only the default value is accepted, and no rule is checked for a default":
            "create_subnet:segment_id create_port:binding:vnic_type",
        "Routes are not leaked into other networks": "update_subnet:leak_routes"}.items() for name in names.split()},
}

"""Options of the image service."""

from oslo_config import cfg, types

OPTS = {"image": [
    cfg.StrOpt("store_path", default="", help="Directory of the file store; default <state_path>/images."),
    cfg.IntOpt("max_image_bytes", default=1 << 40, min=1, help="Largest upload, bytes."),
    cfg.ListOpt("import_allowed_ports", item_type=types.Port(), default=[80, 443], help="Ports of URLs that images come from."),
    cfg.ListOpt("import_allowed_networks", default=[],
                help="Networks that images may come from although they are not the Internet's, such as a mirror's: 10.1.2.0/24."),
    cfg.StrOpt("property_protection_file", default="", help="A file that says which roles may do what with which properties."),
    cfg.BoolOpt("delayed_delete", default=False, help="Keep the data of a deleted image for scrub_time, for an operator's undo."),
    cfg.IntOpt("scrub_time", default=0, min=0, help="Seconds for which that is."),
    cfg.BoolOpt("show_multiple_locations", default=True,
                help="Show where the data of images is, and let policy's set_image_location name URLs for it."),
    cfg.IntOpt("image_member_quota", default=128, min=-1, help="Projects that an image may be shared with; -1: no limit."),
    cfg.IntOpt("quota_images", default=-1, min=-1, help="Images a project may own; -1: no limit."),
]}

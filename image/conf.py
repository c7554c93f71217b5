"""Options of the image service."""

from oslo_config import cfg, types

OPTS = {"image": [
    cfg.StrOpt("store_path", default="", help="Where data arrives, and the file store. Default <state_path>/images."),
    cfg.DictOpt("enabled_backends", default={"file": "file"},
                help="Stores by their kinds: fast:file, far:s3. Each has a group of options by its own name."),
    cfg.StrOpt("default_backend", default="", help="The store that takes what comes; default the first writable one."),
    cfg.IntOpt("max_image_bytes", default=1 << 40, min=1, help="Largest upload, bytes."),
    cfg.ListOpt("import_allowed_ports", item_type=types.Port(), default=[80, 443], help="Ports of URLs that images come from."),
    cfg.ListOpt("import_allowed_networks", default=[],
                help="Networks that images may come from although they are not the Internet's, such as a mirror's: 10.1.2.0/24."),
    cfg.StrOpt("property_protection_file", default="", help="A file that says which roles may do what with which properties."),
    cfg.BoolOpt("delayed_delete", default=False, help="Keep the data of a deleted image for scrub_time, for an operator's undo."),
    cfg.IntOpt("scrub_time", default=0, min=0, help="Seconds for which that is."),
    cfg.BoolOpt("show_multiple_locations", default=True,
                help="Show where the data of images is, and let policy's set_image_location name URLs for it."),
    cfg.BoolOpt("do_secure_hash", default=True,
                help="Read what a new location names, to know its hashes; without, only what its client says is known."),
    cfg.StrOpt("image_cache_dir", default="", help="Directory of copies of images whose store is far away; empty: no cache."),
    cfg.IntOpt("image_cache_max_size", default=10 << 30, min=0,
               help="Bytes that the cache may keep; what was asked for longest ago goes first."),
    cfg.ListOpt("extra_properties", default=["hw_", "trait:", "os_distro", "os_secure_boot", "os_type"],
                help="Properties, or starts of their names, that an import from another cloud's image takes with it."),
    cfg.StrOpt("conversion_format", default="", choices=["", "raw", "qcow2", "vmdk"],
               help="What images become when they are imported; empty: they stay as they are. ISO images always do."),
    cfg.IntOpt("image_member_quota", default=128, min=-1, help="Projects that an image may be shared with; -1: no limit."),
    cfg.BoolOpt("use_keystone_limits", default=False,
                help="Projects have what identity's registered limits say: image_count_total, image_count_uploading, "
                     "image_size_total and image_stage_total (MiB); what is not registered there they may not have."),
    cfg.IntOpt("quota_images", default=-1, min=-1, help="Images a project may own; -1: no limit."),
]}

# Of every store.
STORE_OPTS = [
    cfg.StrOpt("store_description", default="", help="What clients are told of the store."),
    cfg.IntOpt("weight", default=0, help="Where an image is in several stores, it is read from the heaviest."),
]
KIND_OPTS: dict[str, list] = {
    "file": [cfg.StrOpt("filesystem_store_datadir", default="", help="Directory; default [image] store_path.")],
    "http": [],
    "s3": [
        cfg.StrOpt("s3_store_host", default="", help="URL of the server; default Amazon's."),
        cfg.StrOpt("s3_store_region_name", default="", help="Region of the bucket."),
        cfg.StrOpt("s3_store_access_key", default="", secret=True, help="Key id."),
        cfg.StrOpt("s3_store_secret_key", default="", secret=True, help="Key."),
        cfg.StrOpt("s3_store_bucket", default="images", help="The bucket."),
        cfg.BoolOpt("s3_store_create_bucket_on_put", default=False, help="Make the bucket where it is not there."),
        cfg.IntOpt("s3_store_large_object_chunk_size", default=10, min=5, max=1024,
                   help="MiB that are sent at once; each image takes so much memory meanwhile, and has at most 10,000 of them."),
    ],
    "swift": [
        cfg.StrOpt("swift_store_auth_address", default="", help="Identity's URL."),
        cfg.StrOpt("swift_store_auth_version", default="3", choices=["1", "3"], help="How to log in there."),
        cfg.StrOpt("swift_store_user", default="", help="The account, as project:user."),
        cfg.StrOpt("swift_store_key", default="", secret=True, help="Its password."),
        cfg.StrOpt("swift_store_region", default="", help="Region of the object store."),
        cfg.StrOpt("swift_store_container", default="images", help="The container; it is made where it is not there."),
        cfg.IntOpt("swift_store_large_object_size", default=5120, min=1, max=5120,
                   help="MiB of an object at most; larger images are cut."),
    ],
    "rbd": [
        cfg.StrOpt("rbd_store_pool", default="images", help="The pool."),
        cfg.StrOpt("rbd_store_user", default="", help="Ceph's user, without 'client.'; default admin."),
        cfg.StrOpt("rbd_store_ceph_conf", default="/etc/ceph/ceph.conf", help="Ceph's configuration."),
        cfg.IntOpt("rbd_store_chunk_size", default=8, min=1, max=1024, help="MiB of an object; a power of two."),
    ],
}

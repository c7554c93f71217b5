"""Options of the image service."""

from oslo_config import cfg, types

OPTS = {"image": [
    cfg.StrOpt("store_path", default="", help="Directory for incoming data, and of the file store. Default <state_path>/images."),
    cfg.DictOpt("enabled_backends", default={"file": "file"},
                help="Stores and their types, such as fast:file,far:s3. The options of each are in a group with its name."),
    cfg.StrOpt("default_backend", default="", help="The store for new images; default: the first writable one."),
    cfg.IntOpt("max_image_bytes", default=1 << 40, min=1, help="Largest upload, bytes."),
    cfg.ListOpt("import_allowed_ports", item_type=types.Port(), default=[80, 443],
                help="Allowed ports in URLs that images are imported from."),
    cfg.ListOpt("import_allowed_networks", default=[],
                help="Private networks that images may be imported from, such as a mirror's: 10.1.2.0/24."),
    cfg.StrOpt("property_protection_file", default="",
               help="File of the roles that may create, read, update and delete properties."),
    cfg.BoolOpt("delayed_delete", default=False,
                help="Keep the data of deleted images for scrub_time, so that an operator can restore them."),
    cfg.IntOpt("scrub_time", default=0, min=0, help="Seconds until the data of a deleted image is erased, with delayed_delete."),
    cfg.BoolOpt("show_multiple_locations", default=True,
                help="Show the locations of images, and allow callers with the rule set_image_location to change them."),
    cfg.BoolOpt("do_secure_hash", default=True,
                help="Download a new location to calculate its hashes; otherwise they are those that the client sent."),
    cfg.StrOpt("image_cache_dir", default="", help="Directory for copies of images from remote stores; empty: no cache."),
    cfg.IntOpt("image_cache_max_size", default=10 << 30, min=0,
               help="Maximum size of the cache in bytes; the least recently used images are removed first."),
    cfg.ListOpt("extra_properties", default=["hw_", "trait:", "os_distro", "os_secure_boot", "os_type"],
                help="Names, or prefixes of names, of the properties that glance-download copies from the other image."),
    cfg.StrOpt("conversion_format", default="", choices=["", "raw", "qcow2", "vmdk"],
               help="Format to which imported images are converted; empty: no conversion. ISO images are never converted."),
    cfg.IntOpt("image_member_quota", default=128, min=-1, help="Projects that an image may be shared with; -1: no limit."),
    cfg.BoolOpt("use_keystone_limits", default=False,
                help="Use the limits of the identity service: image_count_total, image_count_uploading, image_size_total and "
                     "image_stage_total (MiB). A limit that is not registered there counts as 0."),
    cfg.IntOpt("quota_images", default=-1, min=-1, help="Images a project may own; -1: no limit."),
]}

# Options of every store.
STORE_OPTS = [
    cfg.StrOpt("store_description", default="", help="Description of the store, shown to clients."),
    cfg.IntOpt("weight", default=0, help="An image in several stores is read from the store with the greatest weight."),
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
        cfg.BoolOpt("s3_store_create_bucket_on_put", default=False, help="Create the bucket if it does not exist."),
        cfg.IntOpt("s3_store_large_object_chunk_size", default=10, min=5, max=1024,
                   help="MiB per part of an upload: each upload uses this much memory, and has at most 10,000 parts."),
    ],
    "swift": [
        cfg.StrOpt("swift_store_auth_address", default="", help="Identity's URL."),
        cfg.StrOpt("swift_store_auth_version", default="3", choices=["1", "3"], help="Version of the authentication API."),
        cfg.StrOpt("swift_store_user", default="", help="The account, as project:user."),
        cfg.StrOpt("swift_store_key", default="", secret=True, help="Its password."),
        cfg.StrOpt("swift_store_region", default="", help="Region of the object store."),
        cfg.StrOpt("swift_store_container", default="images", help="The container, created if it does not exist."),
        cfg.IntOpt("swift_store_large_object_size", default=5120, min=1, max=5120,
                   help="Maximum size of an object in MiB; larger images are stored in segments."),
    ],
    "rbd": [
        cfg.StrOpt("rbd_store_pool", default="images", help="The pool."),
        cfg.StrOpt("rbd_store_user", default="", help="Ceph's user, without 'client.'; default admin."),
        cfg.StrOpt("rbd_store_ceph_conf", default="/etc/ceph/ceph.conf", help="Ceph's configuration."),
        cfg.IntOpt("rbd_store_chunk_size", default=8, min=1, max=1024, help="Size of the objects in MiB; a power of two."),
    ],
}

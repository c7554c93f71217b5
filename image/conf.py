"""Options of the image service."""

from oslo_config import cfg

OPTS = {"image": [
    cfg.StrOpt("store_path", default="", help="Directory of the file store; default <state_path>/images."),
    cfg.IntOpt("max_image_bytes", default=1 << 40, min=1, help="Largest upload, bytes."),
    cfg.IntOpt("quota_images", default=-1, min=-1, help="Images a project may own; -1: no limit."),
]}

"""Options of the volume service."""

from oslo_config import cfg

_QUOTAS = {"volumes": 10, "gigabytes": 1000, "snapshots": 10, "per_volume_gigabytes": -1}
QUOTA_RESOURCES = tuple(_QUOTAS)
OPTS = {"volume": [
    cfg.StrOpt("driver", default="file", choices=["file", "lvm", "fake"], help="Volume driver."),
    cfg.StrOpt("backend_name", default="pileus", help="Backend name, which volume types may require."),
    cfg.StrOpt("path", default="", help="Directory of the file driver; default <state_path>/volumes."),
    cfg.StrOpt("volume_group", default="cinder-volumes", help="LVM volume group of the lvm driver."),
    cfg.FloatOpt("max_over_subscription_ratio", default=10.0, min=1.0,
                 help="Allocated size per size of the backend; above 1, sparse volumes may fill it up."),
    cfg.HostAddressOpt("iscsi_ip", default="127.0.0.1", help="Address of the iSCSI portal."),
    cfg.PortOpt("iscsi_port", default=3260, help="Port of tgtd."),
    cfg.IntOpt("tgt_control_port", default=0, min=0, max=32767, help="Control port (-C) of the tgtd to use."),
    cfg.StrOpt("secret_keys_file", default="",
               help="Keys for the CHAP secrets in the database; default <state_path>/volume/secret-keys, made "
                    "when first needed. The API and the agents of all hosts need the same."),
    cfg.StrOpt("default_volume_type", default="__DEFAULT__", help="Default volume type."),
    cfg.BoolOpt("enable_force_upload", default=False,
                help="Whether volumes in use may be uploaded to images, with force; otherwise force is ignored. The image is of "
                     "one moment, as after a power failure of the server."),
    cfg.IntOpt("resend_after_s", default=10, min=2,
               help="Seconds without progress after which a request to an agent is sent again."),
    cfg.IntOpt("extend_timeout_s", default=120, min=10,
               help="Seconds that an extended volume in use waits for its server to see the new size. Afterwards it is "
                    "in use again, and the server sees the new size when it is next started."),
], "quota": [cfg.IntOpt(n, default=v, min=-1, help=f"Most {n} per project; -1: unlimited.")
             for n, v in _QUOTAS.items()]}

"""Options of the compute services that keep the compute database."""

from oslo_config import cfg

from conductor.db.quotas import DEFAULTS

OPTS = {"compute": [
    cfg.IntOpt("build_resend_s", default=12, min=2,
               help="Seconds after which a build that shows no progress is sent again. Too small: doubled messages."),
    cfg.IntOpt("max_attempts", default=3, min=1, max=10, help="Hosts that a build is tried on."),
    cfg.IntOpt("deleted_server_days", default=90, min=0,
               help="Days for which deleted servers and their actions are kept, for lists and usage reports. 0: until "
                    "`compute-manage db purge`; the database grows meanwhile."),
    cfg.IntOpt("resize_confirm_window", default=0, min=0,
               help="Seconds after which a resize or migration that nobody confirmed is confirmed. 0: never; the former host "
                    "keeps the server's disk and its share of the host until then."),
    cfg.StrOpt("default_availability_zone", default="nova", help="Zone of hosts that name none."),
    cfg.StrOpt("metadata_secret", default="", secret=True,
               help="Shared with network agents; proves whom a metadata request comes from."),
    cfg.PortOpt("metadata_port", default=8775, help="Port of the metadata service."),
], "scheduler": [
    cfg.ListOpt("filters", default=["AvailabilityZone", "Compute", "TriedHosts", "Ram", "Core", "Disk",
                                    "ImageProperties", "HostHints", "ServerGroup"],
                help="Filters in order, by name, or module:Class for one of your own."),
    cfg.ListOpt("weighers", default=["Ram", "Core", "ServerGroup"], help="Weighers, by name, or module:Class."),
    cfg.FloatOpt("cpu_allocation_ratio", default=16.0, min=0.1, help="Virtual CPUs promised per real one."),
    cfg.FloatOpt("ram_allocation_ratio", default=1.5, min=0.1, help="Memory promised per real; over 1 risks swapping."),
    cfg.FloatOpt("disk_allocation_ratio", default=1.0, min=0.1, help="Disk promised per real; over 1 risks full disks."),
    cfg.IntOpt("reserved_memory_mb", default=512, min=0, help="MiB of each host kept for the host itself."),
    cfg.FloatOpt("host_cache_s", default=2.0, min=0.0, help="Seconds that the picture of hosts is used unrefreshed."),
    cfg.IntOpt("host_subset_size", default=10, min=1,
               help="Of how many of the best hosts one is chosen at random, where more than twenty times as many fit. 1: always "
                    "the best, and schedulers that decide at the same time meet there."),
], "quota": [cfg.IntOpt(n, default=v, min=-1, help=f"Most {n} of a project; -1: no limit.")
             for n, v in DEFAULTS.items()]}

"""Options of the compute services that keep the compute database."""

from oslo_config import cfg

from conductor.db.quotas import DEFAULTS

OPTS = {"compute": [
    cfg.IntOpt("build_resend_s", default=12, min=2,
               help="Seconds without progress after which a build is sent again. Too small: duplicate messages."),
    cfg.IntOpt("max_attempts", default=3, min=1, max=10, help="Number of hosts on which a build is attempted."),
    cfg.IntOpt("deleted_server_days", default=90, min=0,
               help="Days for which deleted servers and their actions are kept for lists and usage reports. 0: until "
                    "`compute-manage db purge` is run; the database grows until then."),
    cfg.IntOpt("reclaim_instance_interval", default=0, min=0,
               help="Seconds for which a deleted server can be restored: it is off, and keeps its disk, volumes, addresses and "
                    "allocation, so that a long time fills the hosts. 0: servers are deleted immediately."),
    cfg.IntOpt("resize_confirm_window", default=0, min=0,
               help="Seconds after which an unconfirmed resize or migration is confirmed automatically. 0: never; the source "
                    "host keeps the server's disk and its allocation until then."),
    cfg.IntOpt("shelved_offload_time", default=0, min=-1,
               help="Seconds for which a shelved server keeps its disk and its allocation on its host, to be unshelved quickly. "
                    "0: it is removed from its host immediately; -1: only an administrator removes it."),
    cfg.IntOpt("max_local_block_devices", default=3, min=-1,
               help="Most disks of a server on its host: root, ephemeral and swap disks. 0: servers must boot from volumes; -1: "
                    "unlimited. Too many: a server can use many files of its host."),
    cfg.BoolOpt("allow_resize_to_same_host", default=True,
                help="Whether a resize may leave a server on its host, where the scheduler prefers it or there is no other. "
                     "Until the resize is confirmed, the host then keeps the former disk beside the new one."),
    cfg.StrOpt("default_availability_zone", default="nova",
               help="Availability zone of hosts in no aggregate that sets one. Do not change it while servers are on such hosts: "
                    "they keep the old name."),
    cfg.StrOpt("default_schedule_zone",
               help="Availability zone of new servers for which none is requested; they never leave it. Unset: any zone."),
    cfg.StrOpt("metadata_secret", default="", secret=True,
               help="Secret shared with network agents, with which they sign the instance id of metadata requests."),
    cfg.StrOpt("secret_keys_file", default="",
               help="File of the keys that seal the secrets of servers (passwords for config drives, keys of TPMs), the same on "
                    "all controllers; default <state_path>/compute/secret-keys. If it is lost, servers with a TPM do not start."),
    cfg.PortOpt("metadata_port", default=8775, help="Port of the metadata service."),
    cfg.PortOpt("placement_port", default=8778, help="Port of the placement API."),
], "libvirt": [
    cfg.BoolOpt("inject_password", default=False,
                help="Keep the passwords of new servers, sealed, until their hosts have written them into their disks. See the "
                     "option of the same name of compute agents."),
], "consoleauth": [
    cfg.IntOpt("token_ttl", default=600, min=1, help="Seconds for which the URL of a console can be opened."),
], "console": [
    cfg.StrOpt("base_url", default="http://127.0.0.1:6080",
               help="URL of the console proxy for browsers; https://… if a TLS proxy is in front of it."),
], "scheduler": [
    cfg.FloatOpt("cpu_allocation_ratio", default=16.0, min=0.1, help="Virtual CPUs allocated per physical CPU."),
    cfg.FloatOpt("ram_allocation_ratio", default=1.5, min=0.1,
                 help="Memory allocated per MiB of physical memory; above 1 the host may swap."),
    cfg.FloatOpt("disk_allocation_ratio", default=1.0, min=0.1,
                 help="Disk allocated per GiB of physical disk; above 1 the disk may fill up."),
    cfg.IntOpt("reserved_memory_mb", default=512, min=0, help="MiB reserved for each host itself."),
    cfg.FloatOpt("host_cache_s", default=2.0, min=0.0, help="Seconds for which the cached host list is used without a refresh."),
    cfg.IntOpt("host_subset_size", default=10, min=1,
               help="A host is chosen at random among at most this many of the best ones (one in twenty of those that fit). 1: "
                    "always the best, so that concurrent schedulers compete for it."),
], "filter_scheduler": [
    cfg.ListOpt("enabled_filters", default=[
        "ComputeFilter", "ComputeCapabilitiesFilter", "ImagePropertiesFilter", "ServerGroupAntiAffinityFilter",
        "ServerGroupAffinityFilter", "SameHostFilter", "DifferentHostFilter"],
        help="Filters, in order: names of OpenStack's, or module:Class. Zones, requested hosts, memory, CPUs and disk are always "
             "respected."),
    cfg.ListOpt("weight_classes", default=[
        "RAMWeigher", "CPUWeigher", "ServerGroupSoftAffinityWeigher", "ServerGroupSoftAntiAffinityWeigher"],
        help="Weighers: names of OpenStack's, or module:Class."),
    cfg.IntOpt("max_io_ops_per_host", default=8, min=1,
               help="Number of servers of a host that may be built, moved, rebuilt or stored as images at once "
                    "(IoOpsFilter, AggregateIoOpsFilter)."),
    cfg.IntOpt("max_instances_per_host", default=50, min=1,
               help="Servers per host (NumInstancesFilter, AggregateNumInstancesFilter)."),
    cfg.ListOpt("isolated_images", default=[], help="Ids of images that run on isolated hosts only (IsolatedHostsFilter)."),
    cfg.ListOpt("isolated_hosts", default=[], help="Hosts for isolated images (IsolatedHostsFilter)."),
    cfg.BoolOpt("restrict_isolated_hosts_to_isolated_images", default=True,
                help="Isolated hosts run isolated images only (IsolatedHostsFilter)."),
    *(cfg.FloatOpt(f"{name}_weight_multiplier", default=default,
                   help=f"Weight of {what}, relative to the other weighers. Negative: the opposite is preferred.")
      for name, default, what in (
          ("ram", 1.0, "free memory"), ("cpu", 1.0, "free virtual CPUs"), ("disk", 1.0, "free disk"),
          ("num_instances", 0.0, "the number of servers"), ("io_ops", -1.0, "the number of operations on disks"),
          ("soft_affinity", 10.0, "the policy soft-affinity"), ("soft_anti_affinity", 10.0, "the policy soft-anti-affinity"))),
], "quota": [cfg.IntOpt(n, default=v, min=-1, help=f"Maximum {n} per project; -1: unlimited.")
             for n, v in DEFAULTS.items()]}

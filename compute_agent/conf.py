"""Options of the compute agent."""

from oslo_config import cfg

OPTS = {"DEFAULT": [
    cfg.BoolOpt("resume_guests_state_on_host_boot", default=False,
                help="Start the guests that ran before the host went down, when it is back. deploy/up sets it."),
    cfg.StrOpt("default_ephemeral_format", default="", choices=["", "ext2", "ext3", "ext4", "vfat", "xfs", "ntfs"],
               help="File system of ephemeral disks for which none was asked; default ext4, and ntfs for images whose os_type is "
               "windows. One that a host has no program for: servers with ephemeral disks cannot be built there."),
    cfg.MultiStrOpt("virt_mkfs", default=[],
                    help="Command that formats ephemeral disks for which no file system was asked, by the "
                    "image's os_type, or for all others: windows=mkfs.ntfs --quick -F --label %(fs_label)s %(target)s, or "
                    "default=...; one a line. It takes precedence over default_ephemeral_format."),
    cfg.IntOpt("max_concurrent_live_migrations", default=1, min=1, max=8,
               help="Live migrations from this host at once; more wait. Too many slow each other down, and may never end."),
], "agent": [
    cfg.StrOpt("virt_driver", default="libvirt", choices=["libvirt", "fake"], help="What runs the guests."),
    cfg.StrOpt("instances_path", default="", help="Directory of guests' disks; default <state_path>/instances."),
    cfg.IntOpt("max_parallel_builds", default=10, min=1, max=200,
               help="Builds at once; more wait. Too many make all of them slow."),
    cfg.IntOpt("build_retry_s", default=60, min=0,
               help="Seconds that a build step waits for a part that is away. Too few: a service that is restarted twice fails "
               "builds that no other host could do better."),
], "image_cache": [
    cfg.BoolOpt("remove_unused_base_images", default=True, help="Remove cached images that no server is based on."),
    cfg.IntOpt("remove_unused_original_minimum_age_seconds", default=86400, min=300,
               help="Seconds since they were last asked for. Too few: images are fetched again and again."),
], "libvirt": [
    cfg.StrOpt("uri", default="", help="libvirt to drive; default qemu:///system, and lxc:///system with virt_type=lxc."),
    cfg.StrOpt("virt_type", default="auto", choices=["auto", "kvm", "qemu", "lxc"],
               help="auto: KVM where the CPU and the kernel really have it, else emulation. lxc: containers instead of virtual "
               "machines; not to be changed on a host with servers."),
    cfg.IntOpt("inject_partition", default=-2, min=-2,
               help="Into which partition of a new root disk the files that were asked for are written (personality, until "
                    "2.56), if the server has no config drive: its number, 0 for a disk without partitions, -1 for the one that "
                    "has /etc, -2 for none. The file system must be ext2, ext3 or ext4. Each build takes a copy of it."),
    cfg.BoolOpt("inject_key", default=False, help="Whether the key of the server's key pair is written there, for root."),
    cfg.BoolOpt("inject_password", default=False,
                help="Whether root's password there is set to the server's (adminPass). Set it in compute.conf, too, or there is "
                     "none to inject."),
    cfg.StrOpt("initiator", default="", help="iSCSI name of this host; default made from its name."),
    cfg.StrOpt("cpu_mode", default="", choices=["", "host-model", "host-passthrough", "maximum", "custom", "none"],
               help="CPU of guests; default host-model with KVM, and with emulation all that it can. host-passthrough: guests "
               "can move live only between equal CPUs."),
    cfg.ListOpt("cpu_models", default=[], help="Name of the CPU model for cpu_mode=custom."),
    cfg.ListOpt("cpu_model_extra_flags", default=[], help="CPU features that guests get besides; with - in front: do not get."),
    cfg.StrOpt("cpu_dedicated_set", default="",
               help="CPUs that servers with the CPU policy dedicated have for themselves, as in 2-7,^4; none by default. Keep "
               "the host's own work and other guests off them (isolcpus, or cpusets)."),
    cfg.IntOpt("live_migration_downtime", default=500, min=100,
               help="Milliseconds for which a guest may stand still at the end of its live migration. Too few: the migration of "
               "a busy guest does not end by itself."),
    cfg.IntOpt("live_migration_bandwidth", default=0, min=0, help="MiB per second that a live migration may send; 0: unlimited."),
    cfg.IntOpt("live_migration_completion_timeout", default=800, min=0,
               help="Seconds that a live migration may take for each GiB of memory and disk; 0: any time."),
    cfg.StrOpt("live_migration_timeout_action", default="abort", choices=["abort", "force_complete"],
               help="What then happens to it; force_complete: the guest stands still until it has arrived."),
    cfg.BoolOpt("live_migration_permit_auto_converge", default=True,
                help="Slow a guest down that changes its memory faster than it can be copied."),
    cfg.IntOpt("guest_uid_first", default=1900000000, min=1, max=(1 << 31) - 1,
               help="Lowest number of the users that guests run as, each as one of its own; nothing else may use the range."),
    cfg.IntOpt("guest_uid_count", default=65536, min=0, max=1 << 24,
               help="How many numbers that are; 0: all guests run as libvirt's own user, and could read each other's disks."),
    cfg.IntOpt("container_uid_first", default=1910000000, min=1, max=(1 << 31) - 1,
               help="With virt_type=lxc: lowest number of the users that containers have, 65536 each; nothing else may use the "
               "range, nor the same numbers as groups."),
    cfg.IntOpt("container_count", default=1024, min=1, max=8192, help="For how many containers there are users."),
    cfg.IntOpt("container_processes", default=4096, min=64, help="How many processes and threads a container may have at most."),
    cfg.StrOpt("guest_group", default="kvm", help="Group of these users; it needs access to /dev/kvm, where that is used."),
], "fake": [
    cfg.StrOpt("hypervisor_type", default="fake", help="What the fake host says that its hypervisor is, such as LXC."),
    cfg.ListOpt("unsupported", default=[],
                help="What it says that its hypervisor cannot do, so that servers that need it go elsewhere, and requests for it "
                "are refused: volumes, local disks, suspend, rescue, resize, live migration, crash dump, consoles."),
    cfg.IntOpt("vcpus", default=64, min=1, help="CPUs that the fake host has."),
    cfg.IntOpt("memory_mb", default=1 << 20, min=1, help="Memory that it has, MiB."),
    cfg.IntOpt("local_gb", default=100000, min=1, help="Disk that it has, GiB."),
]}

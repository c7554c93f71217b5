"""The extensions that old compute clients look for; their features are part of the API now."""

import re

_NAMESPACE, _UPDATED = "http://docs.openstack.org/compute/ext/fake_xml", "2014-12-03T00:00:00Z"
# {alias: name} of the extensions of Nova whose features Pileus has
NAMES = {
    "NMN": "Multinic", "OS-DCF": "DiskConfig", "OS-EXT-AZ": "ExtendedAvailabilityZone", "OS-EXT-IMG-SIZE": "ImageSize",
    "OS-EXT-IPS": "ExtendedIps", "OS-EXT-IPS-MAC": "ExtendedIpsMac", "OS-EXT-SRV-ATTR": "ExtendedServerAttributes",
    "OS-EXT-STS": "ExtendedStatus", "OS-FLV-DISABLED": "FlavorDisabled", "OS-FLV-EXT-DATA": "FlavorExtraData",
    "OS-SCH-HNT": "SchedulerHints", "OS-SRV-USG": "ServerUsage", "os-access-ips": "AccessIPs", "os-admin-actions": "AdminActions",
    "os-admin-password": "AdminPassword", "os-aggregates": "Aggregates",
    "os-attach-interfaces": "AttachInterfaces", "os-availability-zone": "AvailabilityZone",
    "os-block-device-mapping": "BlockDeviceMapping", "os-config-drive": "ConfigDrive",
    "os-console-auth-tokens": "ConsoleAuthTokens", "os-console-output": "ConsoleOutput", "os-consoles": "Consoles",
    "os-create-backup": "CreateBackup", "os-deferred-delete": "DeferredDelete", "os-evacuate": "Evacuate",
    "os-extended-evacuate-find-host": "ExtendedEvacuateFindHost", "os-extended-hypervisors": "ExtendedHypervisors",
    "os-extended-rescue-with-image": "ExtendedRescueWithImage", "os-extended-services": "ExtendedServices",
    "os-extended-services-delete": "ExtendedServicesDelete", "os-extended-status": "ExtendedStatus",
    "os-extended-volumes": "ExtendedVolumes", "os-flavor-access": "FlavorAccess", "os-flavor-extra-specs": "FlavorExtraSpecs",
    "os-flavor-manage": "FlavorManage", "os-flavor-rxtx": "FlavorRxtx", "os-flavor-swap": "FlavorSwap",
    "os-floating-ip-pools": "FloatingIpPools", "os-floating-ips": "FloatingIps", "os-hosts": "Hosts",
    "os-hypervisor-status": "HypervisorStatus", "os-hypervisors": "Hypervisors", "os-instance-actions": "InstanceActions",
    "os-instance_usage_audit_log": "OSInstanceUsageAuditLog", "os-keypairs": "Keypairs", "os-lock-server": "LockServer",
    "os-migrate-server": "MigrateServer", "os-migrations": "Migrations", "os-multiple-create": "MultipleCreate",
    "os-networks": "Networks", "os-pause-server": "PauseServer", "os-quota-class-sets": "QuotaClasses", "os-quota-sets": "Quotas",
    "os-rescue": "Rescue", "os-security-groups": "SecurityGroups", "os-server-diagnostics": "ServerDiagnostics",
    "os-server-external-events": "ServerExternalEvents", "os-server-group-quotas": "ServerGroupQuotas",
    "os-server-groups": "ServerGroups", "os-server-list-multi-status": "ServerListMultiStatus",
    "os-server-password": "ServerPassword", "os-server-sort-keys": "ServerSortKeys", "os-server-start-stop": "ServerStartStop",
    "os-services": "Services", "os-shelve": "Shelve",
    "os-simple-tenant-usage": "SimpleTenantUsage", "os-suspend-server": "SuspendServer",
    "os-tenant-networks": "OSTenantNetworks", "os-used-limits": "UsedLimits", "os-used-limits-for-admin": "UsedLimitsForAdmin",
    "os-user-data": "UserData", "os-user-quotas": "UserQuotas",
    "os-volume-attachment-update": "VolumeAttachmentUpdate",
    "os-volumes": "Volumes"}


def view(alias: str) -> dict:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", NAMES[alias])
    return {"alias": alias, "name": NAMES[alias], "description": f"{words}: part of every microversion.", "links": [],
            "namespace": _NAMESPACE, "updated": _UPDATED}

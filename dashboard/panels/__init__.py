"""Every panel, in the order of the menu. A new panel is a module with a declaration, and an entry here."""

from dashboard.panel import Panel
from dashboard.panels import (
    aggregates,
    application_credentials,
    credentials,
    domains,
    federation,
    flavors,
    floating_ips,
    groups,
    hosts,
    images,
    instances,
    key_pairs,
    metadata_definitions,
    migrations,
    networks,
    ports,
    projects,
    roles,
    routers,
    security_groups,
    server_groups,
    snapshots,
    users,
    volume_types,
    volumes,
)

PANELS: tuple[Panel, ...] = (
    instances.PANEL, images.PANEL, key_pairs.PANEL, server_groups.PANEL, volumes.PANEL, snapshots.PANEL, networks.PANEL,
    ports.PANEL, routers.PANEL, floating_ips.PANEL, security_groups.PANEL, application_credentials.PANEL,
    credentials.PANEL, projects.PANEL, users.PANEL, groups.PANEL, roles.PANEL, domains.PANEL, credentials.OF_ALL,
    federation.PROVIDERS, federation.MAPPINGS,
    instances.OF_ALL, volumes.OF_ALL, snapshots.OF_ALL, images.OF_ALL, networks.OF_ALL, ports.OF_ALL, routers.OF_ALL,
    floating_ips.OF_ALL, security_groups.OF_ALL, hosts.HYPERVISORS, aggregates.PANEL, flavors.PANEL, volume_types.PANEL,
    metadata_definitions.PANEL, migrations.PANEL, hosts.SERVICES, hosts.VOLUME_SERVICES, hosts.AGENTS)

"""The routes of the compute API. Since 2.18 the project is optional in the path."""

import functools

from common import errors
from common.wsgi import Route
from compute_api import microversions
from compute_api.handlers import (
    actions,
    aggregates,
    attachments,
    audit_log,
    consoles,
    external_events,
    flavors,
    floating_ips,
    guests,
    hosts,
    hypervisors,
    images,
    instance_actions,
    interfaces,
    keypairs,
    migrations,
    networks,
    quota_classes,
    quotas,
    security_groups,
    server_groups,
    server_metadata,
    server_migrations,
    server_password,
    servers,
    services,
    usage,
    versions,
    volumes,
    zones,
)


def _own(handler):
    @functools.wraps(handler)
    def inner(req, project_id, **params):
        if project_id != req.ctx.project_id:
            raise errors.BadRequest(f"Malformed request URL: URL's project_id '{project_id}' doesn't match Context's project_id "
                                    f"'{req.ctx.project_id}'")
        return handler(req, **params)
    return inner


# Requests that check their query parameters themselves.
_WITH_QUERY = frozenset((
    servers.index, servers.detail, attachments.index, consoles.show_token, instance_actions.index, migrations.index,
    flavors.index, flavors.detail, keypairs.index, keypairs.show, usage.index, usage.show, services.index, hypervisors.index,
    hypervisors.detail, hypervisors.show, quotas.limits, quotas.show, quotas.detail, server_groups.index))


def _without_query(handler):
    """Since 2.102 requests without query parameters of their own refuse all."""
    @functools.wraps(handler)
    def inner(req, **params):
        microversions.check_query(req.call, req.GET, (), since=(2, 102))
        return handler(req, **params)
    return inner


def _route(method, path, handler, status=200, versions=None) -> list[Route]:
    if method == "GET" and handler not in _WITH_QUERY:
        handler = _without_query(handler)
    return [Route(method, "/v2.1" + path, handler, status, versions),
            Route(method, "/v2.1/{project_id}" + path, _own(handler), status, versions)]


# The actions in bodies of POST .../action: for policies, each is a request of its own.
ACTIONS = frozenset((*actions.NAMES, *aggregates.ACTIONS, *flavors.ACTIONS, *server_migrations.ACTIONS))
_S = "/servers/{id}"
_IMAGE = "/images/{id}"
_PROXY = ((2, 1), (2, 35))  # since 2.36 clients request these from the other services
_METADATA = ((2, 1), (2, 38))
_HOSTS, _BEFORE_UUIDS, _BEFORE_288 = ((2, 1), (2, 42)), ((2, 1), (2, 52)), ((2, 1), (2, 87))
ROUTES = [Route("GET", "/", versions.index), Route("GET", "/v2.1", versions.show),
          Route("GET", "/v2", versions.show_legacy)] + [r for rows in (
    _route("GET", "/servers/detail", servers.detail), _route("GET", "/servers", servers.index),
    _route("POST", "/servers", servers.create, 202), _route("GET", _S, servers.show),
    _route("PUT", _S, servers.update), _route("DELETE", _S, servers.delete, 204),
    _route("POST", _S + "/action", actions.act, 202), _route("GET", _S + "/ips", servers.ips),
    _route("GET", _S + "/ips/{label}", servers.ips_of),
    _route("GET", _S + "/metadata", server_metadata.index), _route("POST", _S + "/metadata", server_metadata.merge),
    _route("PUT", _S + "/metadata", server_metadata.replace),
    _route("GET", _S + "/metadata/{key}", server_metadata.show),
    _route("PUT", _S + "/metadata/{key}", server_metadata.update),
    _route("DELETE", _S + "/metadata/{key}", server_metadata.delete, 204),
    _route("GET", _S + "/tags", server_metadata.tags, versions=((2, 26), None)),
    _route("PUT", _S + "/tags", server_metadata.tags_replace, versions=((2, 26), None)),
    _route("DELETE", _S + "/tags", server_metadata.tags_clear, 204, ((2, 26), None)),
    _route("GET", _S + "/tags/{tag}", server_metadata.tag_check, 204, ((2, 26), None)),
    _route("PUT", _S + "/tags/{tag}", server_metadata.tag_add, 201, ((2, 26), None)),
    _route("DELETE", _S + "/tags/{tag}", server_metadata.tag_remove, 204, ((2, 26), None)),
    _route("GET", _S + "/os-security-groups", security_groups.of_server),
    _route("GET", _S + "/os-volume_attachments", attachments.index),
    _route("POST", _S + "/os-volume_attachments", attachments.create),
    _route("GET", _S + "/os-volume_attachments/{volume_id}", attachments.show),
    _route("PUT", _S + "/os-volume_attachments/{volume_id}", attachments.update, 202),
    _route("DELETE", _S + "/os-volume_attachments/{volume_id}", attachments.delete, 202),
    _route("GET", _S + "/os-interface", interfaces.index), _route("POST", _S + "/os-interface", interfaces.create),
    _route("GET", _S + "/os-interface/{port_id}", interfaces.show),
    _route("DELETE", _S + "/os-interface/{port_id}", interfaces.delete, 202),
    _route("GET", _S + "/topology", servers.topology, versions=((2, 78), None)),
    _route("GET", _S + "/os-server-password", server_password.show),
    _route("DELETE", _S + "/os-server-password", server_password.clear, 204),
    _route("GET", _S + "/diagnostics", guests.diagnostics),
    _route("POST", _S + "/remote-consoles", consoles.create, versions=((2, 6), None)),
    _route("GET", "/os-console-auth-tokens/{token}", consoles.show_token),
    _route("GET", _S + "/os-instance-actions", instance_actions.index),
    _route("GET", _S + "/os-instance-actions/{request_id}", instance_actions.show),
    _route("GET", "/os-migrations", migrations.index),
    _route("GET", _S + "/migrations", server_migrations.index, versions=((2, 23), None)),
    _route("GET", _S + "/migrations/{migration_id}", server_migrations.show, versions=((2, 23), None)),
    _route("DELETE", _S + "/migrations/{migration_id}", server_migrations.abort, 202, ((2, 24), None)),
    _route("POST", _S + "/migrations/{migration_id}/action", server_migrations.act, 202, ((2, 22), None)),
    _route("GET", "/flavors", flavors.index), _route("GET", "/flavors/detail", flavors.detail),
    _route("POST", "/flavors", flavors.create), _route("GET", "/flavors/{id}", flavors.show),
    _route("PUT", "/flavors/{id}", flavors.update, versions=((2, 55), None)),
    _route("DELETE", "/flavors/{id}", flavors.delete, 202),
    _route("GET", "/flavors/{id}/os-flavor-access", flavors.projects),
    _route("POST", "/flavors/{id}/action", flavors.access_change),
    _route("GET", "/flavors/{id}/os-extra_specs", flavors.specs),
    _route("POST", "/flavors/{id}/os-extra_specs", flavors.specs_add),
    _route("GET", "/flavors/{id}/os-extra_specs/{key}", flavors.spec),
    _route("PUT", "/flavors/{id}/os-extra_specs/{key}", flavors.spec_set),
    _route("DELETE", "/flavors/{id}/os-extra_specs/{key}", flavors.spec_delete),
    _route("GET", "/os-keypairs", keypairs.index), _route("POST", "/os-keypairs", keypairs.create),
    _route("GET", "/os-keypairs/{name}", keypairs.show), _route("DELETE", "/os-keypairs/{name}", keypairs.delete, 202),
    _route("GET", "/os-availability-zone", zones.index), _route("GET", "/os-availability-zone/detail", zones.detail),
    _route("GET", "/os-simple-tenant-usage", usage.index), _route("GET", "/os-simple-tenant-usage/{target}", usage.show),
    _route("GET", "/os-services", services.index),
    _route("PUT", "/os-services/{id}", services.legacy_update, versions=_BEFORE_UUIDS),
    _route("PUT", "/os-services/{id}", services.update, versions=((2, 53), None)),
    _route("DELETE", "/os-services/{id}", services.delete, 204),
    _route("GET", "/os-hypervisors", hypervisors.index), _route("GET", "/os-hypervisors/detail", hypervisors.detail),
    _route("GET", "/os-hypervisors/statistics", hypervisors.statistics, versions=_BEFORE_288),
    _route("GET", "/os-hypervisors/{id}", hypervisors.show),
    _route("GET", "/os-hypervisors/{id}/uptime", hypervisors.uptime, versions=_BEFORE_288),
    _route("GET", "/os-hypervisors/{id}/search", hypervisors.search, versions=_BEFORE_UUIDS),
    _route("GET", "/os-hypervisors/{id}/servers", hypervisors.servers, versions=_BEFORE_UUIDS),
    _route("GET", "/os-hosts", hosts.index, versions=_HOSTS), _route("GET", "/os-hosts/{id}", hosts.show, versions=_HOSTS),
    _route("PUT", "/os-hosts/{id}", hosts.update, versions=_HOSTS),
    _route("GET", "/os-aggregates", aggregates.index), _route("POST", "/os-aggregates", aggregates.create),
    _route("GET", "/os-aggregates/{id}", aggregates.show), _route("PUT", "/os-aggregates/{id}", aggregates.update),
    _route("DELETE", "/os-aggregates/{id}", aggregates.delete),
    _route("POST", "/os-aggregates/{id}/action", aggregates.act),
    _route("POST", "/os-aggregates/{id}/images", aggregates.cache_images, 202, ((2, 81), None)),
    _route("GET", "/os-hosts/{id}/reboot", hosts.reboot, versions=_HOSTS),
    _route("GET", "/os-hosts/{id}/shutdown", hosts.shutdown, versions=_HOSTS),
    _route("GET", "/os-hosts/{id}/startup", hosts.startup, versions=_HOSTS),
    _route("GET", "/os-instance_usage_audit_log", audit_log.index),
    _route("GET", "/os-instance_usage_audit_log/{before}", audit_log.show),
    _route("GET", "/limits", quotas.limits), _route("GET", "/os-quota-sets/{target}", quotas.show),
    _route("GET", "/os-quota-sets/{target}/detail", quotas.detail),
    _route("GET", "/os-quota-sets/{target}/defaults", quotas.defaults),
    _route("PUT", "/os-quota-sets/{target}", quotas.update),
    _route("DELETE", "/os-quota-sets/{target}", quotas.delete, 202),
    _route("GET", "/os-quota-class-sets/{id}", quota_classes.show),
    _route("PUT", "/os-quota-class-sets/{id}", quota_classes.update),
    _route("GET", "/os-server-groups", server_groups.index), _route("POST", "/os-server-groups", server_groups.create),
    _route("GET", "/os-server-groups/{id}", server_groups.show),
    _route("DELETE", "/os-server-groups/{id}", server_groups.delete, 204),
    _route("GET", "/os-floating-ip-pools", floating_ips.pools, versions=_PROXY),
    _route("GET", "/os-floating-ips", floating_ips.index, versions=_PROXY),
    _route("POST", "/os-floating-ips", floating_ips.create, versions=_PROXY),
    _route("GET", "/os-floating-ips/{id}", floating_ips.show, versions=_PROXY),
    _route("DELETE", "/os-floating-ips/{id}", floating_ips.delete, 202, _PROXY),
    _route("GET", "/os-security-groups", security_groups.index, versions=_PROXY),
    _route("POST", "/os-security-groups", security_groups.create, versions=_PROXY),
    _route("GET", "/os-security-groups/{id}", security_groups.show, versions=_PROXY),
    _route("PUT", "/os-security-groups/{id}", security_groups.update, versions=_PROXY),
    _route("DELETE", "/os-security-groups/{id}", security_groups.delete, 202, _PROXY),
    _route("POST", "/os-security-group-rules", security_groups.create_rule, versions=_PROXY),
    _route("DELETE", "/os-security-group-rules/{id}", security_groups.delete_rule, 202, _PROXY),
    _route("GET", "/images", images.index, versions=_PROXY), _route("GET", "/images/detail", images.detail, versions=_PROXY),
    _route("GET", _IMAGE, images.show, versions=_PROXY), _route("DELETE", _IMAGE, images.delete, 204, _PROXY),
    _route("GET", _IMAGE + "/metadata", images.metadata, versions=_METADATA),
    _route("POST", _IMAGE + "/metadata", images.metadata_merge, versions=_METADATA),
    _route("PUT", _IMAGE + "/metadata", images.metadata_replace, versions=_METADATA),
    _route("GET", _IMAGE + "/metadata/{key}", images.metadata_show, versions=_METADATA),
    _route("PUT", _IMAGE + "/metadata/{key}", images.metadata_set, versions=_METADATA),
    _route("DELETE", _IMAGE + "/metadata/{key}", images.metadata_delete, 204, _METADATA),
    _route("GET", "/os-networks", networks.index, versions=_PROXY),
    _route("GET", "/os-networks/{id}", networks.show, versions=_PROXY),
    _route("GET", "/os-tenant-networks", networks.tenant_index, versions=_PROXY),
    _route("GET", "/os-tenant-networks/{id}", networks.tenant_show, versions=_PROXY),
    _route("GET", "/os-volumes", volumes.index, versions=_PROXY),
    _route("GET", "/os-volumes/detail", volumes.detail, versions=_PROXY),
    _route("POST", "/os-volumes", volumes.create, versions=_PROXY),
    _route("GET", "/os-volumes/{id}", volumes.show, versions=_PROXY),
    _route("DELETE", "/os-volumes/{id}", volumes.delete, 202, _PROXY),
    _route("GET", "/os-snapshots", volumes.snapshots_index, versions=_PROXY),
    _route("GET", "/os-snapshots/detail", volumes.snapshots_detail, versions=_PROXY),
    _route("POST", "/os-snapshots", volumes.snapshots_create, versions=_PROXY),
    _route("GET", "/os-snapshots/{id}", volumes.snapshots_show, versions=_PROXY),
    _route("DELETE", "/os-snapshots/{id}", volumes.snapshots_delete, 202, _PROXY),
    _route("GET", "/extensions", versions.extensions), _route("GET", "/extensions/{alias}", versions.extension),
    _route("POST", "/os-server-external-events", external_events.create),
) for r in rows]

"""A listing of every resource of a cloud, over all services, for comparing its state before and after a run."""

import collections.abc

from deploy.first import Cloud

# By service: the paths of an administrator's lists, and the key of the list in the answer.
LISTS = {
    "identity": {
        "/domains": "domains", "/projects": "projects", "/users": "users", "/groups": "groups", "/roles": "roles",
        "/services": "services", "/endpoints": "endpoints", "/regions": "regions", "/role_assignments": "role_assignments",
        "/credentials": "credentials", "/policies": "policies", "/limits": "limits", "/registered_limits": "registered_limits",
        "/OS-TRUST/trusts": "trusts", "/OS-FEDERATION/identity_providers": "identity_providers",
        "/OS-FEDERATION/mappings": "mappings"},
    "image": {"/images?visibility=all": "images", "/images?os_hidden=true&visibility=all": "images",
              "/metadefs/namespaces": "namespaces"},
    "compute": {
        "/flavors/detail?is_public=None": "flavors", "/servers/detail?all_tenants=1": "servers",
        "/os-server-groups?all_projects=1": "server_groups"},
    "volume": {"/volumes/detail?all_tenants=1": "volumes", "/snapshots/detail?all_tenants=1": "snapshots",
               "/types?is_public=None": "volume_types", "/attachments/detail?all_tenants=1": "attachments"},
    "network": {f"/{plural}": plural.replace("-", "_").rpartition("/")[2] for plural in (
        "networks", "subnets", "subnetpools", "ports", "routers", "floatingips", "security-groups", "security-group-rules",
        "metering/metering-labels", "metering/metering-label-rules", "quotas")},
}
# Lists below each resource of another list: (that list's path, the path of the sublist, its key).
PARTS = {
    "identity": (("/users", "/users/{id}/application_credentials", "application_credentials"),
                 ("/users", "/users/{id}/credentials/OS-EC2", "credentials"), ("/groups", "/groups/{id}/users", "users"),
                 ("/OS-FEDERATION/identity_providers", "/OS-FEDERATION/identity_providers/{id}/protocols", "protocols")),
    "image": (("/images?visibility=all", "/images/{id}/members", "members"),),
    "compute": (("/flavors/detail?is_public=None", "/flavors/{id}/os-flavor-access", "flavor_access"),
                ("/flavors/detail?is_public=None", "/flavors/{id}/os-extra_specs", "extra_specs"),
                ("/servers/detail?all_tenants=1", "/servers/{id}/os-volume_attachments", "volumeAttachments"),
                ("/servers/detail?all_tenants=1", "/servers/{id}/os-interface", "interfaceAttachments")),
    "volume": (("/types?is_public=None", "/types/{id}/os-volume-type-access", "volume_type_access"),),
}


def everything(cloud: Cloud) -> dict[str, object]:
    """Every resource as its API shows it, with ids, revision numbers and timestamps: ``{"volume /volumes/detail <id>": {...}}``.

    Usage, agents and services are left out, because they change on their own.
    """
    found = dict(_of_the_services(cloud))
    for user in list(found.values()):
        if isinstance(user, dict) and "password_expires_at" in user:
            path = f"/os-keypairs?user_id={user['id']}"
            found |= _rows("compute", path, cloud.call("compute", "GET", path)["keypairs"])
    for project in cloud.call("identity", "GET", "/projects")["projects"]:
        for service in ("compute", "volume"):
            found[f"{service} quota of {project['id']}"] = cloud.call(service, "GET", f"/os-quota-sets/{project['id']}")
    return found


def _of_the_services(cloud: Cloud) -> collections.abc.Iterator[tuple[str, object]]:
    for service, paths in LISTS.items():
        for path, name in paths.items():
            rows = cloud.call(service, "GET", path)[name]
            yield from _rows(service, path, rows).items()
            for of, part, part_name in PARTS.get(service, ()):
                for row in rows if of == path else ():
                    yield from _part(cloud, service, part.format(id=row["id"]), part_name)


def _part(cloud: Cloud, service: str, path: str, name: str) -> collections.abc.Iterator[tuple[str, object]]:
    try:
        yield f"{service} {path}", cloud.call(service, "GET", path)[name]
    except RuntimeError as error:
        # Public flavors and types, and images that are not shared, have no access list.
        if not any(word in str(error) for word in (" 403 ", " 404 ")):
            raise


def _rows(service: str, path: str, rows: list[dict]) -> dict[str, object]:
    return {f"{service} {path} {row.get('id') or row}": row for row in rows}


def differences(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """One line for each resource that is new, gone or changed; for a changed one, with the old and new values."""
    found = [f"new: {path}: {after[path]}" for path in sorted(after.keys() - before.keys())]
    found += [f"gone: {path}: {before[path]}" for path in sorted(before.keys() - after.keys())]
    for path in sorted(before.keys() & after.keys()):
        one, other = before[path], after[path]
        if one != other and isinstance(one, dict) and isinstance(other, dict):
            changed = {k: (one.get(k), other.get(k)) for k in one.keys() | other.keys() if one.get(k) != other.get(k)}
            found.append(f"changed: {path} ({one.get('name')}): {changed}")
        elif one != other:
            found.append(f"changed: {path}: {one} became {other}")
    return found


def assert_same(before: dict[str, object], after: dict[str, object]) -> None:
    found = differences(before, after)
    assert not found, "\n".join(found)

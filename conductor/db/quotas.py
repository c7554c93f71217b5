"""Compute quotas: limits from rows, usage counted from the servers."""

import sqlalchemy as sa

from common import errors, quotas
from conductor.db import instances, models, server_migrations

INJECTION = {"injected_files": 5, "injected_file_content_bytes": 10240, "injected_file_path_bytes": 255}  # per server, until 2.56
DEFAULTS = {"instances": 10, "cores": 20, "ram": 51200, "metadata_items": 128, "key_pairs": 100, "server_groups": 10,
            "server_group_members": 10}
DEFAULT_CLASS = "default"  # its limits take precedence over the configuration
_OWN, _CLASSES = models.quotas, models.quota_classes


def limits(connection, project_id: str, defaults: dict | None = None) -> dict:
    """{resource: limit}, -1 for unlimited: those of the project, else of the default class, else the defaults."""
    shared = sa.select(_CLASSES.c.resource, _CLASSES.c["limit"], sa.literal_column("0").label("rank")).where(
        _CLASSES.c.name == DEFAULT_CLASS)
    own = sa.select(_OWN.c.resource, _OWN.c["limit"], sa.literal_column("1")).where(_OWN.c.project_id == project_id)
    ranked = sorted(connection.execute(sa.union_all(shared, own)), key=lambda row: row.rank)
    found = {resource: most for resource, most, _ in ranked}
    return {resource: found.get(resource, most) for resource, most in (defaults or DEFAULTS).items()}


def of_class(connection, name: str, defaults: dict) -> dict:
    """{resource: limit} of a quota class, -1 for unlimited. For a class without rows: the defaults."""
    found = dict(connection.execute(sa.select(_CLASSES.c.resource, _CLASSES.c["limit"]).where(_CLASSES.c.name == name)).all())
    return {resource: found.get(resource, most) for resource, most in defaults.items()}


def store_class(connection, name: str, values: dict) -> None:
    """Set limits of a quota class; the others stay."""
    quotas.lock_owner(connection, f"class:{name}")
    for resource, most in values.items():
        connection.execute(sa.delete(_CLASSES).where(_CLASSES.c.name == name, _CLASSES.c.resource == resource))
        connection.execute(sa.insert(_CLASSES).values(name=name, resource=resource, limit=most))


def _taken(connection, project_id: str) -> dict:
    """The project's usage, including the growth of servers that are being resized."""
    used = instances.usage(connection, project_id, growing=server_migrations.count_growing(project_id))
    if not used.pop("growing"):
        return used
    pending = server_migrations.growth(connection, project_id)
    return {**used, "cores": used["cores"] + pending["vcpus"], "ram": used["ram"] + pending["ram"]}


def room(connection, defaults: dict, project_id: str, flavor: dict) -> int | None:
    """How many more servers of a flavor the project may create; None: unlimited."""
    return _room(limits(connection, project_id, defaults), _taken(connection, project_id), flavor)


def _each(flavor: dict) -> dict:
    """What one server of a flavor counts towards each quota."""
    return {"instances": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]}


def _room(limit: dict, used: dict, flavor: dict) -> int | None:
    left = [max(0, limit[r] - used[r]) // n for r, n in _each(flavor).items() if limit[r] >= 0 and n]
    return min(left) if left else None


def _check(limit: dict, used: dict, count: int, flavor: dict) -> None:
    for resource, each in _each(flavor).items():
        requested = count * each
        if 0 <= limit[resource] < used[resource] + requested:
            raise errors.QuotaExceeded(resource=resource, requested=requested, used=used[resource], limit=limit[resource])


def check_room(connection, defaults: dict, project_id: str, count: int, flavor: dict) -> None:
    """As ``check_servers``, but without a reservation: for a check before anything is created."""
    _check(limits(connection, project_id, defaults), _taken(connection, project_id), count, flavor)


def check_growth(connection, defaults: dict, project_id: str, old: dict, new: dict) -> None:
    """Check whether a server may get another flavor. Other pending resizes count.

    :raises QuotaExceeded: for the first resource that is exceeded
    """
    limit, used = limits(connection, project_id, defaults), _taken(connection, project_id)
    for resource, part in (("cores", "vcpus"), ("ram", "ram")):
        requested, taken = new[part] - old[part], used[resource]
        if requested > 0 and 0 <= limit[resource] < taken + requested:
            raise errors.QuotaExceeded(resource=resource, requested=requested, used=taken, limit=limit[resource])


def check_servers(connection, defaults: dict, project_id: str, low: int, high: int, flavor: dict) -> tuple[int, dict]:
    """Check the quota for ``low`` to ``high`` servers of a flavor, in the transaction that inserts them.

    :returns: the number of servers that the quota allows, and the project's limits
    :raises QuotaExceeded: for the first resource that does not suffice for ``low``
    """
    quotas.lock_owner(connection, project_id)
    limit, used = limits(connection, project_id, defaults), _taken(connection, project_id)
    left = _room(limit, used, flavor)
    count = high if left is None else max(low, min(high, left))
    _check(limit, used, count, flavor)
    return count, limit

"""Compute quotas: limits from rows, usage counted from the servers."""

import sqlalchemy as sa

from common import errors, quotas, rows
from conductor.db import instances, models, server_migrations

INJECTION = {"injected_files": 5, "injected_file_content_bytes": 10240, "injected_file_path_bytes": 255}  # per server, until 2.56
DEFAULTS = {"instances": 10, "cores": 20, "ram": 51200, "metadata_items": 128, "key_pairs": 100, "server_groups": 10,
            "server_group_members": 10}
DEFAULT_CLASS = "default"  # its limits take precedence over the configuration
_OWN, _CLASSES, _USERS = models.quotas, models.quota_classes, models.user_quotas


def limits(connection, project_id: str, defaults: dict | None = None, *, user_id: str | None = None) -> dict:
    """{resource: limit}, -1 for unlimited: those of the user in the project, else of the project, else of the default class,
    else the defaults."""
    of_project, of_user = _limits(connection, project_id, user_id, defaults or DEFAULTS)
    return {**of_project, **of_user}


def _limits(connection, project_id: str, user_id: str | None, defaults: dict) -> tuple[dict, dict]:
    """(the limits of a project, those that were set for a user of it), in one statement."""
    shared = sa.select(_CLASSES.c.resource, _CLASSES.c["limit"], sa.literal_column("0").label("rank")).where(
        _CLASSES.c.name == DEFAULT_CLASS)
    own = sa.select(_OWN.c.resource, _OWN.c["limit"], sa.literal_column("1")).where(_OWN.c.project_id == project_id)
    users = sa.select(_USERS.c.resource, _USERS.c["limit"], sa.literal_column("2")).where(
        _USERS.c.project_id == project_id, _USERS.c.user_id == user_id)
    found = sorted(connection.execute(sa.union_all(shared, own, *([] if user_id is None else [users]))), key=lambda row: row.rank)
    known = {resource: most for resource, most, rank in found if rank < 2}
    return ({resource: known.get(resource, most) for resource, most in defaults.items()},
            {resource: most for resource, most, rank in found if rank == 2 and resource in defaults})


def store_user(connection, project_id: str, user_id: str, values: dict) -> None:
    """Set limits of a user in a project; the others stay."""
    quotas.lock_owner(connection, project_id)
    for resource, most in values.items():
        rows.delete_where(connection, _USERS, project_id=project_id, user_id=user_id, resource=resource)
        rows.insert(connection, _USERS, {"project_id": project_id, "user_id": user_id, "resource": resource, "limit": most})


def reset_users(connection, project_id: str, user_id: str | None = None) -> None:
    """Remove the limits of a user in a project, or of all users."""
    quotas.lock_owner(connection, project_id)
    rows.delete_where(connection, _USERS, project_id=project_id, **({} if user_id is None else {"user_id": user_id}))


def promised(connection, project_id: str) -> dict:
    """{resource: sum of the limits of the project's users}"""
    query = sa.select(_USERS.c.resource, sa.func.sum(_USERS.c["limit"])).where(
        _USERS.c.project_id == project_id, _USERS.c["limit"] > 0).group_by(_USERS.c.resource)
    return {resource: int(total) for resource, total in connection.execute(query)}


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


def owned(table, project_id: str, user_id: str | None) -> list:
    """Conditions for the rows of a project, or of a user in it."""
    return [table.c.project_id == project_id, *([] if user_id is None else [table.c.user_id == user_id])]


def _taken(connection, project_id: str, user_id: str | None = None) -> dict:
    """The usage of a project, or of a user in it, including the growth of servers that are being resized."""
    used = instances.usage(connection, project_id, user_id, growing=server_migrations.count_growing(project_id))
    if not used.pop("growing"):
        return used
    pending = server_migrations.growth(connection, project_id, user_id)
    return {**used, "cores": used["cores"] + pending["vcpus"], "ram": used["ram"] + pending["ram"]}


class Servers:
    """The limits and the usage that servers of a user in a project are checked with: the project's, and the user's if there are
    any. Usage is read when it is needed.

    ``limit``: {resource: limit} that holds for the user
    """

    def __init__(self, connection, defaults: dict, project_id: str, user_id: str):
        of_project, of_user = _limits(connection, project_id, user_id, defaults)
        self.limit = {**of_project, **of_user}
        self._both = [(of_project, _taken(connection, project_id))]
        if of_user.keys() & {"instances", "cores", "ram"}:
            self._both.append((of_user, _taken(connection, project_id, user_id)))

    def room(self, flavor: dict) -> int | None:
        """How many more servers of a flavor may be created; None: unlimited."""
        left = [max(0, limit[r] - used[r]) // n for limit, used in self._both
                for r, n in _each(flavor).items() if limit.get(r, -1) >= 0 and n]
        return min(left) if left else None

    def check(self, count: int, flavor: dict) -> None:
        """:raises QuotaExceeded: for the first resource that does not suffice"""
        self._check({resource: count * each for resource, each in _each(flavor).items()})

    def check_growth(self, old: dict, new: dict) -> None:
        """Check whether a server may get another flavor. Other pending resizes count. :raises QuotaExceeded: as ``check``"""
        self._check({"cores": new["vcpus"] - old["vcpus"], "ram": new["ram"] - old["ram"]})

    def _check(self, wanted: dict) -> None:
        for limit, used in self._both:
            for resource, requested in wanted.items():
                if requested > 0 and 0 <= limit.get(resource, -1) < used[resource] + requested:
                    raise errors.QuotaExceeded(resource=resource, requested=requested, used=used[resource], limit=limit[resource])


def _each(flavor: dict) -> dict:
    """What one server of a flavor counts towards each quota."""
    return {"instances": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]}


def check_servers(connection, defaults: dict, project_id: str, user_id: str, low: int, high: int,
                  flavor: dict) -> tuple[int, dict]:
    """Check the quota for ``low`` to ``high`` servers of a flavor, in the transaction that inserts them.

    :returns: the number of servers that the quota allows, and the limits that hold for the user
    :raises QuotaExceeded: for the first resource that does not suffice for ``low``
    """
    quotas.lock_owner(connection, project_id)
    known = Servers(connection, defaults, project_id, user_id)
    left = known.room(flavor)
    count = high if left is None else max(low, min(high, left))
    known.check(count, flavor)
    return count, known.limit

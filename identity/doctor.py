"""``identity-manage doctor``: reports settings that make the identity service insecure or prevent it from working."""

import pathlib
import time
import typing

import sqlalchemy as sa

from common import errors, migrate
from identity import domain_config
from identity.db import grants, models

DAY_S = 86400


class Finding(typing.NamedTuple):
    """``level`` is "ok", "warning" (it works, but should be corrected) or "error" (something does not work)."""

    level: str
    text: str


def _private(path: pathlib.Path) -> list[Finding]:
    open_ones = [p for p in (path, *path.glob("*")) if p.exists() and p.stat().st_mode & 0o077]
    return [Finding("error", f"{p} can be read by others: chmod go= {p}") for p in open_ones]


def keys(service) -> list[Finding]:
    ring, now = service.keys.private(), time.time()
    if not ring:
        return [Finding("error", "there is no signing key: identity-manage rotate-keys")]
    age = (now - int(list(ring)[-1]) / 1e9) / DAY_S
    found = [Finding("warning" if age > 365 else "ok", f"{len(ring)} signing keys, the newest is {age:.0f} days old")]
    return found + _private(service.keys.directory) + _private(service.vault.path)


def database(service) -> list[Finding]:
    at, head = migrate.version("identity.db", service.db.url.render_as_string(hide_password=False))
    if at != head:
        return [Finding("error", f"the database is at revision {at}, this release needs {head}: identity-manage db sync")]
    return [Finding("ok", f"the database is at revision {at}")]


def administrators(service) -> list[Finding]:
    roles, users = models.roles, models.users
    with service.db.reader() as connection:
        role = connection.execute(sa.select(roles.c.id).where(roles.c.name == "admin", roles.c.domain_id == "")).scalar()
        holders = grants.holders(connection, role) if role else set()
        able = connection.execute(sa.select(sa.func.count()).select_from(users).where(
            users.c.id.in_(holders), users.c.enabled, users.c.password_hash.is_not(None))).scalar()
    return [Finding("ok", f"{able} administrators can log in")] if able else [
        Finding("error", "no administrator can log in: identity-manage bootstrap")]


def options(service) -> list[Finding]:
    conf, found = service.conf, []
    if conf.identity.admin_token:
        found.append(Finding("error", "[identity] admin_token is set: anybody who knows it is an administrator; unset it"))
    if conf.identity.password_hash_rounds < 10:
        found.append(Finding("warning", "[identity] password_hash_rounds is below 10: passwords can be guessed quickly from "
                                        "stolen hashes"))
    if not conf.security_compliance.lockout_failure_attempts:
        found.append(Finding("warning", "[security_compliance] lockout_failure_attempts is not set: passwords can be guessed "
                                        "without limit"))
    return found or [Finding("ok", "no option weakens the service")]


def catalog(service) -> list[Finding]:
    try:
        found = service.catalog.of("x")
    except errors.Error as error:
        return [Finding("error", f"the catalog cannot be read: {error}")]
    without = [s["type"] for s in found if not any(e["interface"] == "public" for e in s["endpoints"])]
    return [Finding("warning", f"the service {t} has no public endpoint") for t in without] or [
        Finding("ok" if found else "warning", f"the catalog has {len(found)} services")]


def directories(service) -> list[Finding]:
    with service.db.reader() as connection:
        table = models.domain_options
        ids = connection.execute(sa.select(table.c.domain_id).where(
            table.c.group_name == "identity", table.c.option_name == "driver").distinct()).scalars().all()
        drivers = {i: domain_config.read(connection, service.vault, i)["identity"]["driver"] for i in ids}
    found = [Finding("error", f"domain {i} has the driver {d}, which is neither sql nor ldap")
             for i, d in drivers.items() if d not in ("sql", "ldap")]
    for domain_id in (i for i, d in drivers.items() if d == "ldap"):
        try:
            count = len(service.directories.of(domain_id).users())
            found.append(Finding("ok" if count else "warning", f"the directory of domain {domain_id} has {count} users"))
        except errors.Error as error:
            found.append(Finding("error", f"domain {domain_id}: {error} {error.internal or ''}"))
    return found


def examine(service) -> list[Finding]:
    found = database(service)
    if any(f.level == "error" for f in found):
        return found  # the other checks would read tables that do not exist
    return [*found, *(f for check in (keys, administrators, options, catalog, directories) for f in check(service))]

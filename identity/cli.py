"""identity-manage: schema, bootstrap, key rotation, doctor."""

import argparse

import sqlalchemy as sa

from common import context, manage

CATALOG = [("identity", "keystone", 5000, "/v3"), ("image", "glance", 9292, ""),
           ("compute", "nova", 8774, "/v2.1"), ("placement", "placement", 8778, ""), ("network", "neutron", 9696, ""),
           ("block-storage", "cinder", 8776, "/v3/$(project_id)s"), ("volumev3", "cinderv3", 8776, "/v3/$(project_id)s")]
OLD_SERVICE_USER = "pileus"
ADMIN_PORT = 35357  # where old administrators' clients connect
IMPLIES = (("admin", "manager"), ("manager", "member"), ("member", "reader"))


def build_parser() -> argparse.ArgumentParser:
    parser, commands = manage.parser("identity")
    boot = manage.command(commands, "bootstrap", "Make the admin user, roles and the catalog; safe to repeat.")
    boot.add_argument("--password", required=True, help="password of the user admin, if it does not exist yet")
    boot.add_argument("--service-password", required=True, action="append", metavar="NAME=PASSWORD",
                      help="a service user; repeat for nova, neutron, cinder and glance")
    boot.add_argument("--host", default="127.0.0.1", help="address in the catalog's URLs (default: %(default)s)")
    boot.add_argument("--region", default="RegionOne", help="region of the catalog's endpoints (default: %(default)s)")
    manage.command(commands, "rotate-keys", "Add a signing key; the old keys still verify tokens.")
    manage.command(commands, "doctor", "Report insecure or broken settings; the exit status is 1 if something is broken.")
    return parser


@manage.explained
def main(argv=None) -> int:
    from identity.service import IdentityApi
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command == "db":
        return manage.database(IdentityApi, "identity.db", args)
    service = IdentityApi.load(args.state)
    if args.command == "doctor":
        from identity import doctor
        found = doctor.examine(service)
        print("\n".join(f"{f.level:8} {f.text}" for f in found))
        return int(any(f.level == "error" for f in found))
    if args.command == "rotate-keys":
        print(service.keys.rotate())
        return 0
    users = dict(item.partition("=")[::2] for item in args.service_password)
    if not all(users.values()):
        parser.error("--service-password needs NAME=PASSWORD")
    bootstrap(service, args.password, users, args.host, args.region)
    return 0


def _ensure(connection, table, values: dict, **key) -> dict:
    row = connection.execute(sa.select(table).filter_by(**key)).mappings().first()
    if row:
        return dict(row)
    made = {"id": context.new_hex(), **key, **values}
    connection.execute(sa.insert(table).values(made))
    return made


def bootstrap(service, password: str, service_users: dict[str, str], host: str, region: str, offset: int = 0,
              before: tuple[str, int] = ("", 0)) -> None:
    """Create domain Default, the projects admin and service, the user admin, a user for each service, roles and the
    catalog. Repeatable. Existing users keep their passwords, and get no additional roles: a user with one of these
    names may have been created by a domain manager. The user of a service has only the role service.

    :param service_users: {name: password}
    :param before: (host, offset) of the previous bootstrap: unchanged endpoints of that time get the new address
    """
    from identity.db import grants, models
    if not service.keys.private():
        service.keys.rotate()
    with service.db.writer() as connection:
        _ensure(connection, models.domains, {"name": "Default", "enabled": True}, id="default")
        roles = {name: _ensure(connection, models.roles, {}, name=name, domain_id="")["id"]
                 for name in ("admin", "manager", "member", "reader", "service")}
        for prior, implied in IMPLIES:
            key = {"prior_role_id": roles[prior], "implied_role_id": roles[implied]}
            if not connection.execute(sa.select(models.implied_roles).filter_by(**key)).first():
                connection.execute(sa.insert(models.implied_roles).values(key))
        owner = {"domain_id": "default", "enabled": True, "parent_id": "default"}
        projects = {n: _ensure(connection, models.projects, owner, name=n)["id"] for n in ("admin", "service")}
        for name, secret, project, role in (("admin", password, "admin", "admin"),
                                            *((n, p, "service", "service") for n, p in service_users.items())):
            known = connection.execute(sa.select(models.users.c.id).filter_by(name=name, domain_id="default")).scalar()
            user_id = known or _ensure(connection, models.users, {
                "domain_id": "default", "enabled": True, "password_hash": service.passwords.hash(secret),
                "default_project_id": projects[project]}, name=name)["id"]
            key = {"user_id": user_id, "target_type": "project", "target_id": projects[project], "role_id": roles[role]}
            if known and not connection.execute(sa.select(models.assignments.c.role_id).filter_by(**key)).first():
                continue  # created by somebody else, or an administrator has removed the role
            grants.add(connection, **key)
            if name == "admin":
                grants.add(connection, user_id=user_id, target_type="system", target_id="all", role_id=roles[role])
                grants.add(connection, user_id=user_id, target_type="domain", target_id="default",
                           role_id=roles[role])
        _remove_old_service_user(service, connection, models, projects["service"])
        _ensure(connection, models.regions, {"description": ""}, id=region)
        _catalog(connection, models, region, (host, offset), before)


def _remove_old_service_user(service, connection, models, project_id: str) -> None:
    """Delete the user ``pileus``, an administrator that all services used in earlier releases."""
    user_id = connection.execute(sa.select(models.users.c.id).where(
        models.users.c.name == OLD_SERVICE_USER, models.users.c.domain_id == "default",
        models.users.c.default_project_id == project_id)).scalar()
    if user_id:
        service.revoke(connection, user_id=user_id)
        connection.execute(sa.delete(models.users).where(models.users.c.id == user_id))


def _catalog(connection, models, region: str, now: tuple[str, int], before: tuple[str, int]) -> None:
    for kind, name, port, path in CATALOG:
        service_row = _ensure(connection, models.services, {"name": name, "enabled": True}, type=kind)
        for interface in ("public", "internal", "admin"):
            at = ADMIN_PORT if (kind, interface) == ("identity", "admin") else port
            url, old = (f"http://{host}:{at + offset}{path}" for host, offset in (now, before))
            row = _ensure(connection, models.endpoints, {"url": url, "enabled": True}, service_id=service_row["id"],
                          interface=interface, region_id=region)
            if row["url"] == old != url:
                connection.execute(sa.update(models.endpoints).where(models.endpoints.c.id == row["id"]).values(url=url))

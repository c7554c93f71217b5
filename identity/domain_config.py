"""The configuration of a domain: the backend of its users, and the options of that backend.

Stored in the database, one row per option, and read at each use, so that a change applies to the next request in
every worker. Only options that make sense for a single domain can be set (``OPTIONS``). Passwords are encrypted.
"""

import json

import sqlalchemy as sa

from common import errors
from common.db import many
from identity import conf
from identity.db import models

TABLE = models.domain_options
# {group: {option: oslo.config option}} of the options that a domain may set.
OPTIONS: dict[str, dict] = {"identity": {o.name: o for o in conf.OPTS["identity"] if o.name in ("driver", "list_limit")},
           "ldap": {o.name: o for o in conf.OPTS["ldap"]}}


# The password requirements, for users who choose one. They are those of the service, and shown for the default
# domain.
COMPLIANCE, COMPLIANCE_OPTIONS = "security_compliance", ("password_regex", "password_regex_description")


def compliance(service, domain_id: str, option: str | None) -> dict:
    """{option: value} of the password requirements. :raises Forbidden: another domain, or another option"""
    if domain_id != "default" or option not in (None, *COMPLIANCE_OPTIONS):
        raise errors.Forbidden("Invalid domain specific configuration: Reading security compliance values other than "
                               f"{' and '.join(COMPLIANCE_OPTIONS)} of the default domain is not allowed.")
    return {n: service.conf.security_compliance[n] for n in COMPLIANCE_OPTIONS if option in (None, n)}


def check_name(group: str | None, option: str | None = None) -> None:
    """:raises Forbidden: not an option that a domain may set"""
    if group is not None and group not in OPTIONS:
        raise errors.Forbidden(f"Invalid domain specific configuration: Group {group} is not supported for domain specific "
                               "configurations.")
    if option is not None and option not in OPTIONS[group or ""]:
        raise errors.Forbidden(f"Invalid domain specific configuration: Option {option} in group {group} is not supported for "
                               "domain specific configurations.")


def check(config: dict) -> None:
    """:param config: {group: {option: value}}; :raises Forbidden: unknown names; :raises BadRequest: a wrong value"""
    for group, options in config.items():
        check_name(group)
        if not isinstance(options, dict):
            raise errors.BadRequest(f"Invalid domain specific configuration: group {group} must contain options.")
        for name, value in options.items():
            check_name(group, name)
            try:
                OPTIONS[group][name].type(str(value))
            except ValueError as error:
                raise errors.BadRequest(f"Invalid domain specific configuration: {group}.{name}: {error}") from None


def read(connection, vault, domain_id: str, *, secrets: bool = False) -> dict:
    """{group: {option: value}} of a domain; empty if nothing is set. Secrets only on request."""
    found: dict[str, dict] = {}
    for row in many(connection, sa.select(TABLE).where(TABLE.c.domain_id == domain_id)):
        group, name = row["group_name"], row["option_name"]
        secret = OPTIONS[group][name].secret
        if not secret or secrets:
            value = json.loads(vault.open(row["value"]) if secret else row["value"])
            found.setdefault(group, {})[name] = value
    return found


def write(connection, vault, domain_id: str, config: dict) -> None:
    """Set these options; others are unchanged."""
    for group, options in config.items():
        for name, value in options.items():
            text = json.dumps(value)
            clear(connection, domain_id, group, name)
            connection.execute(sa.insert(TABLE).values(
                domain_id=domain_id, group_name=group, option_name=name,
                value=vault.seal(text) if OPTIONS[group][name].secret else text))


def clear(connection, domain_id: str, group: str | None = None, option: str | None = None) -> bool:
    """Delete options; returns whether there were any."""
    where = [TABLE.c.domain_id == domain_id]
    where += [TABLE.c.group_name == group] if group else []
    where += [TABLE.c.option_name == option] if option else []
    return connection.execute(sa.delete(TABLE).where(*where)).rowcount > 0


def default(service) -> dict:
    """The service's values of the same options, without secrets."""
    return {group: {n: getattr(service.conf[group], n) for n, o in options.items() if not o.secret}
            for group, options in OPTIONS.items()}

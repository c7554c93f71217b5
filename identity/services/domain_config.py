"""Configurations of domains: the whole, a group or an option; and the service's values, which are the defaults."""

from common import errors, rows
from common.calls import Call
from identity import domain_config
from identity.db import models


def _part(config: dict, group: str | None, option: str | None, where: str) -> dict:
    """The part of {group: {option: value}} that a path refers to, in the format of the response. :raises NotFound: it
    is empty"""
    if group is None:
        found: dict = config
    elif option is None:
        found = {group: config[group]} if group in config else {}
    else:
        found = {option: config[group][option]} if option in config.get(group, {}) else {}
    if not found:
        raise errors.NotFound(f"Could not find {'.'.join(x for x in (group, option) if x) or 'domain configuration'} {where}.")
    return {"config": found}


def show(call: Call, id: str, group: str | None, option: str | None) -> dict:
    if group == domain_config.COMPLIANCE:
        call.svc.policy.check(call.ctx, "identity:get_security_compliance_domain_config", {"domain_id": id})
        found = domain_config.compliance(call.svc, id, option)
        return {"config": found if option else {group: found}}
    call.svc.policy.check(call.ctx, "identity:get_domain_config", {"domain_id": id})
    domain_config.check_name(group, option)
    with call.svc.db.reader() as connection:
        rows.get(connection, models.domains, id, resource="domain")
        return _part(domain_config.read(connection, call.svc.vault, id), group, option, f"for domain {id}")


def default(call: Call, group: str | None, option: str | None) -> dict:
    """The service's values, which are the defaults of domains."""
    call.svc.policy.check(call.ctx, "identity:get_domain_config_default", {})
    domain_config.check_name(group, option)
    return _part(domain_config.default(call.svc), group, option, "among the service's options")


def replace(call: Call, id: str, config: dict) -> tuple[bool, dict]:
    """Write the whole configuration; returns whether there was one, and the new one."""
    call.svc.policy.check(call.ctx, "identity:create_domain_config", {})
    domain_config.check(config)
    with call.svc.db.writer() as connection:
        rows.get(connection, models.domains, id, resource="domain")
        was = domain_config.clear(connection, id)
        domain_config.write(connection, call.svc.vault, id, config)
        shown = domain_config.read(connection, call.svc.vault, id)
    return was, shown


def update(call: Call, id: str, group: str | None, option: str | None, given: dict) -> dict:
    """Change existing values. The body must contain exactly the part in the path, which must exist already."""
    call.svc.policy.check(call.ctx, "identity:update_domain_config", {})
    domain_config.check_name(group, option)
    if option is not None and list(given) == [option]:
        given = {group: given}
    if group is not None and (list(given) != [group] or option is not None and list(given[group]) != [option]):
        raise errors.BadRequest("Invalid domain specific configuration: the body must contain exactly the group or option in "
                                "the path.")
    domain_config.check(given)
    with call.svc.db.writer() as connection:
        rows.get(connection, models.domains, id, resource="domain")
        _part(domain_config.read(connection, call.svc.vault, id, secrets=True), group, option, f"for domain {id}")
        domain_config.write(connection, call.svc.vault, id, given)
        return {"config": domain_config.read(connection, call.svc.vault, id)}


def delete(call: Call, id: str, group: str | None, option: str | None) -> None:
    call.svc.policy.check(call.ctx, "identity:delete_domain_config", {})
    domain_config.check_name(group, option)
    with call.svc.db.writer() as connection:
        rows.get(connection, models.domains, id, resource="domain")
        if not domain_config.clear(connection, id, group, option):
            raise errors.NotFound(f"Could not find domain configuration for domain {id}.")

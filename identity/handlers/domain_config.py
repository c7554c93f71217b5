"""Configurations of domains: whole, by group, by option; and the service's own values, which hold where none is set."""

from common import errors, rows, schema, wsgi
from identity import domain_config
from identity.db import models

_BODY = schema.obj({"config": {"type": "object", "minProperties": 1, "maxProperties": 64}}, ["config"])


def _part(config: dict, group: str | None, option: str | None, where: str) -> dict:
    """What a path names of {group: {option: value}}, wrapped as it is answered. :raises NotFound: nothing there"""
    if group is None:
        found: dict = config
    elif option is None:
        found = {group: config[group]} if group in config else {}
    else:
        found = {option: config[group][option]} if option in config.get(group, {}) else {}
    if not found:
        raise errors.NotFound(f"Could not find {'.'.join(x for x in (group, option) if x) or 'domain configuration'} {where}.")
    return {"config": found}


def _reader(req, id: str, group: str | None, option: str | None) -> dict:
    if group == domain_config.COMPLIANCE:
        req.svc.policy.check(req.ctx, "identity:get_security_compliance_domain_config", {"domain_id": id})
        found = domain_config.compliance(req.svc, id, option)
        return {"config": found if option else {group: found}}
    req.svc.policy.check(req.ctx, "identity:get_domain_config", {"domain_id": id})
    domain_config.check_name(group, option)
    with req.svc.db.reader() as connection:
        rows.get(connection, models.domains, id, resource="domain")
        return _part(domain_config.read(connection, req.svc.vault, id), group, option, f"for domain {id}")


def show(req, id, group=None, option=None):
    return _reader(req, id, group, option)


def show_default(req, group=None, option=None):
    req.svc.policy.check(req.ctx, "identity:get_domain_config_default", {})
    domain_config.check_name(group, option)
    return _part(domain_config.default(req.svc), group, option, "among the service's options")


@wsgi.body(_BODY)
def replace(req, id, body):
    """The whole configuration; 201 where there was none."""
    req.svc.policy.check(req.ctx, "identity:create_domain_config", {})
    domain_config.check(body["config"])
    with req.svc.db.writer() as connection:
        rows.get(connection, models.domains, id, resource="domain")
        was = domain_config.clear(connection, id)
        domain_config.write(connection, req.svc.vault, id, body["config"])
        shown = domain_config.read(connection, req.svc.vault, id)
    return wsgi.json_response({"config": shown}, 200 if was else 201)


@wsgi.body(_BODY)
def update(req, id, body, group=None, option=None):
    """Change existing values; the body must contain exactly what the path names, which must have a value already."""
    req.svc.policy.check(req.ctx, "identity:update_domain_config", {})
    domain_config.check_name(group, option)
    given = body["config"]
    if option is not None and list(given) == [option]:
        given = {group: given}
    if group is not None and (list(given) != [group] or option is not None and list(given[group]) != [option]):
        raise errors.BadRequest("Invalid domain specific configuration: the body must contain exactly what the path names.")
    domain_config.check(given)
    with req.svc.db.writer() as connection:
        rows.get(connection, models.domains, id, resource="domain")
        _part(domain_config.read(connection, req.svc.vault, id, secrets=True), group, option, f"for domain {id}")
        domain_config.write(connection, req.svc.vault, id, given)
        return {"config": domain_config.read(connection, req.svc.vault, id)}


def delete(req, id, group=None, option=None):
    req.svc.policy.check(req.ctx, "identity:delete_domain_config", {})
    domain_config.check_name(group, option)
    with req.svc.db.writer() as connection:
        rows.get(connection, models.domains, id, resource="domain")
        if not domain_config.clear(connection, id, group, option):
            raise errors.NotFound(f"Could not find domain configuration for domain {id}.")


def routes() -> list[wsgi.Route]:
    own, default = "/v3/domains/{id}/config", "/v3/domains/config"
    depths = ("", "/{group}", "/{group}/{option}")
    return [wsgi.Route("PUT", own, replace),
            *[wsgi.Route("GET", f"{default}{d}/default", show_default) for d in depths],
            *[wsgi.Route("GET", own + d, show) for d in depths], *[wsgi.Route("PATCH", own + d, update) for d in depths],
            *[wsgi.Route("DELETE", own + d, delete, 204) for d in depths]]

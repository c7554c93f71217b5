"""Configurations of domains: the whole, a group or an option; and the service's values, which are the defaults."""

from common import wsgi
from identity.schemas import domain_config as schemas
from identity.services import domain_config


def show(req, id, group=None, option=None):
    return domain_config.show(req.call, id, group, option)


def show_default(req, group=None, option=None):
    return domain_config.default(req.call, group, option)


@wsgi.body(schemas.BODY)
def replace(req, id, body):
    """Replace the whole configuration; 201 if there was none."""
    was, shown = domain_config.replace(req.call, id, body["config"])
    return wsgi.json_response({"config": shown}, 200 if was else 201)


@wsgi.body(schemas.BODY)
def update(req, id, body, group=None, option=None):
    return domain_config.update(req.call, id, group, option, body["config"])


def delete(req, id, group=None, option=None):
    domain_config.delete(req.call, id, group, option)


def routes() -> list[wsgi.Route]:
    own, default = "/v3/domains/{id}/config", "/v3/domains/config"
    depths = ("", "/{group}", "/{group}/{option}")
    return [wsgi.Route("PUT", own, replace),
            *[wsgi.Route("GET", f"{default}{d}/default", show_default) for d in depths],
            *[wsgi.Route("GET", own + d, show) for d in depths], *[wsgi.Route("PATCH", own + d, update) for d in depths],
            *[wsgi.Route("DELETE", own + d, delete, 204) for d in depths]]

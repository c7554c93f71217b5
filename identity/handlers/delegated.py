"""The guard around every route against tokens that act for a user. What these may do: identity/delegation.py."""

import dataclasses
import functools

from common.wsgi import Route
from identity.delegation import rule_of


def guarded(route: Route) -> Route:
    """The route with its rule around the handler. :raises Forbidden: (the handler) the caller may not, with his token"""
    rule = rule_of(route.path)
    if rule is None:
        return route

    @functools.wraps(route.handler)
    def handler(req, **params):
        if req.ctx.delegated:
            rule(req.ctx, req.method, params)
        return route.handler(req, **params)
    return dataclasses.replace(route, handler=handler)

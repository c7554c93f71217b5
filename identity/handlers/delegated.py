"""Applies the restrictions on tokens that act for a user (identity/delegation.py) to every route."""

import dataclasses
import functools

from common.wsgi import Route
from identity.delegation import rule_of


def guarded(route: Route) -> Route:
    """The route with its restriction around the handler, which raises Forbidden if the token may not be used for it."""
    rule = rule_of(route.path)
    if rule is None:
        return route

    @functools.wraps(route.handler)
    def handler(req, **params):
        if req.ctx.delegated:
            rule(req.ctx, req.method, params)
        return route.handler(req, **params)
    return dataclasses.replace(route, handler=handler)

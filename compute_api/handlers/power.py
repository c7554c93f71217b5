"""Handlers of actions that need only the server's id."""

from compute_api.services import power


def simple(rule: str, action: str):
    def handler(req, id, arguments):
        power.act(req.call, id, rule, action)
    return handler

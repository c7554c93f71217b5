"""Members of requests that depend on the microversion."""

import typing

from common import errors, schema
from common.calls import Call
from compute_api.schemas.servers import HOSTNAME

_WITHOUT_DOMAIN = schema.compiled(schema.obj({"hostname": HOSTNAME}, extra=True))


def check_names(call: Call, given: typing.Iterable[str], since: dict, until: dict | None = None) -> None:
    """Refuse members of a body that a microversion does not have yet, or no longer has.

    :param since: {name: first version that has it}
    :param until: {name: last version that has it}
    :raises BadRequest: with the message of a JSON schema
    """
    refused = [n for n in given if call.version < since.get(n, call.version) or call.version > (until or {}).get(n, call.version)]
    if refused:
        raise errors.BadRequest(f"Additional properties are not allowed ('{refused[0]}' was unexpected)")


def check_host_name(call: Call, given: dict) -> None:
    """:raises BadRequest: the host name of a server has a domain, before 2.94"""
    if call.version < (2, 94):
        _WITHOUT_DOMAIN(given)


def check_query(call: Call, query: typing.Iterable[str], known: typing.Iterable[str], *, since: tuple = (2, 75)) -> None:
    """Refuse unknown query parameters; before a microversion, they are ignored."""
    unknown = set(query) - set(known)
    if unknown and call.version >= since:
        raise errors.BadRequest(f"Invalid input for query parameters: Additional properties are not allowed "
                                f"('{min(unknown)}' was unexpected)")

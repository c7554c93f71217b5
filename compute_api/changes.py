"""Filters by time of change, for all lists that have them."""

import datetime
import typing

from common import errors, wsgi


def given(version: tuple[int, int], query: typing.Mapping[str, list[str]]) -> dict[str, datetime.datetime]:
    """``changes-since`` and, since 2.66, ``changes-before``, if they are in the query.

    :param query: {name: values} of the request
    :raises BadRequest: an invalid time, or the first is later than the second
    """
    names = ["changes-since"] + (["changes-before"] if version >= (2, 66) else [])
    found = {n: wsgi.moment(n, query[n][-1]) for n in names if n in query}
    if len(found) == 2 and found["changes-since"] > found["changes-before"]:
        raise errors.BadRequest("The value of changes-since must be less than or equal to changes-before.")
    return found


def conditions(times: dict[str, datetime.datetime], column) -> list:
    """The SQL conditions for the result of ``given``."""
    return [column >= moment if name == "changes-since" else column <= moment for name, moment in times.items()]

"""Filters by time of change, the same for every list that has them."""

import datetime

from common import errors, wsgi


def given(req) -> dict[str, datetime.datetime]:
    """``changes-since`` and, from 2.66 on, ``changes-before``, as far as they are in the query.

    :raises BadRequest: no time, or the first is later than the second
    """
    names = ["changes-since"] + (["changes-before"] if req.version >= (2, 66) else [])
    found = {n: wsgi.moment(n, req.GET[n]) for n in names if n in req.GET}
    if len(found) == 2 and found["changes-since"] > found["changes-before"]:
        raise errors.BadRequest("The value of changes-since must be less than or equal to changes-before.")
    return found


def conditions(req, column) -> list:
    """The WHERE of them. :raises BadRequest: as ``given``"""
    return [column >= moment if name == "changes-since" else column <= moment for name, moment in given(req).items()]

"""Filters by time of change, the same for every list that has them."""

from common import errors, wsgi


def conditions(req, column) -> list:
    """``changes-since`` and, from 2.66 on, ``changes-before``.

    :raises BadRequest: no time, or the first is later than the second
    """
    names = ["changes-since"] + (["changes-before"] if req.version >= (2, 66) else [])
    given = {n: wsgi.moment(n, req.GET[n]) for n in names if n in req.GET}
    since, before = given.get("changes-since"), given.get("changes-before")
    if since and before and since > before:
        raise errors.BadRequest("The value of changes-since must be less than or equal to changes-before.")
    return ([column >= since] if since else []) + ([column <= before] if before else [])

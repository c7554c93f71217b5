"""Filters by time of change, the same for every list that has them."""

import datetime

from common import errors


def moment(name: str, raw: str) -> datetime.datetime:
    """A time of a query parameter, as the database has it (UTC, no zone). :raises BadRequest: it is none"""
    try:
        parsed = datetime.datetime.fromisoformat(raw.replace("Z", "+00:00"))
    except ValueError:
        raise errors.BadRequest(f"Invalid input for query parameters {name}. {raw!r} is not a 'date-time'") from None
    return parsed.astimezone(datetime.timezone.utc).replace(tzinfo=None) if parsed.tzinfo else parsed


def conditions(req, column) -> list:
    """``changes-since`` and, from 2.66 on, ``changes-before``.

    :raises BadRequest: no time, or the first is later than the second
    """
    names = ["changes-since"] + (["changes-before"] if req.version >= (2, 66) else [])
    given = {n: moment(n, req.GET[n]) for n in names if n in req.GET}
    since, before = given.get("changes-since"), given.get("changes-before")
    if since and before and since > before:
        raise errors.BadRequest("The value of changes-since must be less than or equal to changes-before.")
    return ([column >= since] if since else []) + ([column <= before] if before else [])

"""Usage of projects' servers in a period, including deleted servers.

Source: the compute API reference, "Usage reports".
"""


from common import errors, rows
from common.calls import Call
from conductor.db import instances


def found(call: Call, marker, scope, period, limit):
    with call.svc.db.reader() as connection:
        try:
            marker_row = instances.get_including_deleted(connection, marker, scope) if marker else None
        except errors.NotFound:
            raise errors.BadRequest(f"marker [{marker}] not found") from None
        query = instances.existing_between(scope, period.start, period.stop, limit=limit, marker_row=marker_row)
        return rows.many(connection, query) if limit else []

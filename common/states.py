"""State changes by compare-and-swap: the only way in which status columns are written.

A resource declares ``{action: (allowed states, transient state, end state)}``; ``begin`` moves a row to the transient state if
its state is allowed.
"""

import sqlalchemy as sa

from common import errors


def move(connection, table, row_id, *, column: str, allowed, to: str, action: str, resource: str,
         key: str = "id", also=None, values: dict | None = None) -> None:
    """Compare-and-swap one row's state.

    :param also: further WHERE conditions
    :raises InvalidState: the row is in another state; nothing was written
    :raises NotFound: there is no such row
    """
    where = [table.c[key] == row_id, *(also or [])]
    if allowed is not None:
        where.append(table.c[column].in_(list(allowed)))
    done = connection.execute(sa.update(table).where(*where).values({column: to, **(values or {})}))
    if done.rowcount:
        return
    state = connection.execute(sa.select(table.c[column]).where(table.c[key] == row_id)).scalar()
    if state is None:
        raise errors.NotFound(resource=resource, id=row_id)
    raise errors.InvalidState(action=action, resource=resource, id=row_id, attr=column, state=state)

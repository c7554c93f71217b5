"""Revision numbers: that of a resource grows with each change of the resource, or of anything shown as a part of it."""

import sqlalchemy as sa

from common import db, errors, rows


def grow(connection, table, *ids: str | None) -> None:
    """Increase the revision of these rows, because a part of them changed: a network's subnets, a group's rules, a router's
    interfaces, a port's addresses. None stands for no row."""
    known = sorted({i for i in ids if i})
    if known:
        connection.execute(sa.update(table).where(table.c.id.in_(known)).values(
            revision_number=table.c.revision_number + 1, updated_at=db.now()))


def write(connection, table, old: dict, values: dict, *, parts_changed: bool, resource: str) -> dict:
    """Write columns of a row; the revision grows if a column or a part of the resource has changed.

    :returns: the columns that were written
    """
    if parts_changed or any(old[name] != value for name, value in values.items()):
        values = {**values, "updated_at": db.now(), "revision_number": old["revision_number"] + 1}
        rows.update(connection, table, old["id"], values, resource=resource)
    return values


def check(row: dict, wanted: int | None) -> None:
    """:raises PreconditionFailed: the row has another revision than the caller wants to change; None: any will do"""
    if wanted is not None and wanted != row["revision_number"]:
        raise errors.PreconditionFailed(f"Constrained to {wanted}, but current revision is {row['revision_number']}",
                                        kind="RevisionNumberConstraintFailed")

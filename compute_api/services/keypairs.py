"""Key pairs: generated here, or an imported public key."""



from common import errors, rows
from common import quotas as project_quotas
from common.calls import Call
from conductor.db import models, quotas

TABLE = models.key_pairs


def index(call: Call, marker, user_id: str, limit):
    with call.svc.db.reader() as connection:
        after = [] if marker is None else [TABLE.c.name > _marker(connection, user_id, marker)]
        return rows.select(connection, TABLE, *after, order_by="name", limit=limit, user_id=user_id)


def _marker(connection, user_id: str, name: str) -> str:
    """:raises BadRequest: the user has no such key pair"""
    try:
        return _get(connection, user_id, name)["name"]
    except errors.NotFound:
        raise errors.BadRequest(f"Marker {name} could not be found.") from None


def create(call: Call, user_id: str, row: dict) -> None:
    with call.svc.db.writer() as connection:
        project_quotas.lock_owner(connection, user_id)
        limit = quotas.limits(connection, call.ctx.project_id, call.svc.quota_defaults, user_id=user_id)["key_pairs"]
        used = rows.count(connection, TABLE, TABLE.c.user_id == user_id)
        if 0 <= limit <= used:
            raise errors.Forbidden(f"Quota exceeded, too many key pairs. The user has {used} of {limit}.")
        rows.insert(connection, TABLE, row, conflict=f"Key pair '{row['name']}' already exists.")


def _get(connection, user_id: str, name: str) -> dict:
    row = rows.find(connection, TABLE, name, key="name", user_id=user_id)
    if row is None:
        raise errors.NotFound(f"Keypair {name} not found for user {user_id}")
    return row


def show(call: Call, user_id: str, name: str):
    with call.svc.db.reader() as connection:
        return _get(connection, user_id, name)


def delete(call: Call, user_id: str, name: str) -> None:
    with call.svc.db.writer() as connection:
        _get(connection, user_id, name)
        rows.delete_where(connection, TABLE, user_id=user_id, name=name)

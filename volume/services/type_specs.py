"""Extra specs of volume types: the required properties of the backend."""

import typing

from common import rows
from common.calls import Call
from volume.db import types
from volume.services.types import shown_specs, usable


def show(call: Call, id: str, rule: str) -> dict:
    """The extra specs of a type, those that the caller may see."""
    call.svc.policy.check(call.ctx, rule)
    with call.svc.db.reader() as connection:
        return shown_specs(call, types.get(connection, id, usable(call)))


def edit(call: Call, id: str, rule: str, edit: typing.Callable[[dict], dict]) -> None:
    """Replace the extra specs of a type by what ``edit`` returns for them."""
    call.svc.policy.check(call.ctx, rule)
    with call.svc.db.writer() as connection:
        changed = edit(types.get(connection, id)["extra_specs"])
        rows.update(connection, types.TABLE, id, {"extra_specs": changed}, resource="Volume type")

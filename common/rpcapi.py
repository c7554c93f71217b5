# mypy: disable-error-code="empty-body"
"""The RPC interface of whoever watches what changes in the cloud: the dashboard."""

import typing
from typing import Annotated

import msgspec

from common.interface import cast
from common.messages import Id
from common.rpc import Client


class Change(typing.TypedDict):
    """Something of a kind changed in a project. ``kind``: as the APIs call the collection, such as "servers".

    ``project_id``: None if it belongs to none, such as a user
    """

    kind: Annotated[str, msgspec.Meta(pattern=r"\A[a-z_]{1,64}\Z")]
    project_id: Id | None


class WatchersAPI(Client):
    topic = "watchers"
    history = {"1.0": "The first version."}

    @cast(fanout=True)
    def changed(self, ctx, changes: list[Change]) -> None:
        """Tell every watcher of changes. Lost: pages are refreshed later, by themselves; repeated: they are refreshed again."""

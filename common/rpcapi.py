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


SessionId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class WatchersAPI(Client):
    topic = "watchers"
    history = {"1.0": "The first version.", "1.1": "session_ended is new."}

    @cast(fanout=True)
    def changed(self, ctx, changes: list[Change]) -> None:
        """Tell every watcher of changes. Lost: pages are refreshed later, by themselves; repeated: they are refreshed again."""

    @cast(fanout=True, since="1.1")
    def session_ended(self, ctx, session_id: SessionId, until: float) -> None:
        """Tell every dashboard that a session has ended. ``until``: when its tokens expire, seconds since 1970.

        Lost: identity refuses the session's tokens, and streams ask identity each minute; repeated: the same again.
        """

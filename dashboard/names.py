"""The names of what a row knows by its id only: projects, domains and users."""

from common.rest import path
from dashboard import session
from dashboard.asks import get, send

KINDS = ("project", "domain", "user")


class Names:
    """The names that a page shows. Those of a kind are asked for when the first is wanted: one request, however many rows."""

    def __init__(self, req):
        self._req = req
        self._found: dict[str, dict[str, str]] = {}

    def of(self, kind: str, id: str) -> str:
        """The name of one of ``KINDS``; "" if nobody tells it to the user."""
        active = session.required(self._req)
        own = {"project": (active.project_id, active.project), "user": (active.user_id, active.user)}.get(kind)
        if own and own[0] == id:
            return own[1]
        if kind not in self._found:
            self._found[kind] = self._asked(kind, active.admin)
        return self._found[kind].get(id, "")

    def _asked(self, kind: str, admin: bool) -> dict[str, str]:
        if not admin and kind != "project":
            return {}
        key = f"{kind}s"
        found = send(self._req, get("identity", path("/v3/{name}", key) if admin else path("/v3/auth/projects"), key, instead=[]))
        return {each["id"]: each["name"] for each in found}

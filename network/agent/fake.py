"""A data plane that only remembers, for clouds without root."""

from network import roles


class FakeDataplane:
    def __init__(self, conf):
        self.conf = conf
        self.ports: set[str] = set()
        self._networks: set[str] = set()

    def apply(self, state: dict, *, partial: bool = False) -> None:
        names = {p["id"] for p in state["ports"] if p["here"]}
        self.ports = self.ports | names if partial else names
        networks = {n["id"] for n in state["networks"]}
        self._networks = self._networks | networks if partial else networks

    def metered(self) -> list[dict]:
        return []

    def inventory(self) -> dict:
        return {}

    def networks(self) -> set[str]:
        return self._networks

    def facts(self) -> dict:
        return {**roles.of(self.conf), "driver": "fake", "ports": len(self.ports)}

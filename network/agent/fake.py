"""A data plane without effect, which stores the desired state, for clouds without root."""

from network import roles
from network.agent import parsing


class FakeDataplane:
    whole = True  # each state is applied, as nothing fails here

    def __init__(self, conf):
        self.conf = conf
        self.ports: set[str] = set()
        self._networks: set[str] = set()
        self.refused: dict[str, str] = {}
        self.closed: list[str] = []

    def apply(self, raw: dict, *, partial: bool = False) -> None:
        parser = parsing.Parser()
        state = parser.state(raw)
        self.refused = {**self.refused, **parser.refused} if partial else parser.refused
        self.closed = [p["id"] for p in state["ports"] if p["here"] and p["closed"]]
        names = {p["id"] for p in state["ports"] if p["here"]}
        self.ports = self.ports | names if partial else names
        networks = {n["id"] for n in state["networks"]}
        self._networks = self._networks | networks if partial else networks

    def retry_s(self) -> float | None:
        return None  # nothing fails here

    def metered(self) -> list[dict]:
        return []

    def inventory(self) -> dict:
        return {}

    def networks(self) -> set[str]:
        return self._networks

    def facts(self) -> dict:
        return {**roles.of(self.conf), "driver": "fake", "ports": len(self.ports), "refused": self.refused,
                "closed_ports": self.closed}

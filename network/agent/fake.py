"""A data plane that only remembers, for clouds without root."""


class FakeDataplane:
    def __init__(self, conf):
        self.ports: set[str] = set()

    def apply(self, state: dict, *, partial: bool = False) -> None:
        names = {p["id"] for p in state["ports"]}
        self.ports = self.ports | names if partial else names

    def facts(self) -> dict:
        return {"driver": "fake", "ports": len(self.ports)}

"""The five requests that identity's plain resources share."""

from identity.services.crud import Noun


def query(req) -> dict[str, list[str]]:
    """{name: values} of a request."""
    return {name: req.GET.getall(name) for name in req.GET}


class Crud:
    """The handlers of one resource."""

    def __init__(self, noun: Noun, under: str = "/v3"):
        self.noun, self.path = noun, f"{under}/{noun.plural}"

    def view(self, req, row: dict) -> dict:
        return {**self.noun.fields(row), "links": {"self": f"{req.base_url()}{self.path}/{row['id']}"}}

    def many(self, req, found: list[dict]) -> dict:
        return {self.noun.plural: [self.view(req, r) for r in found],
                "links": {"self": req.path_url, "next": None, "previous": None}}

    def one(self, req, row: dict) -> dict:
        return {self.noun.singular: self.view(req, row)}

    def index(self, req) -> dict:
        return self.many(req, self.noun.index(req.call, query(req)))

    def show(self, req, id) -> dict:
        return self.one(req, self.noun.show(req.call, id))

    def create(self, req) -> dict:
        return self.one(req, self.noun.create(req.call, req.json_object()))

    def update(self, req, id) -> dict:
        return self.one(req, self.noun.update(req.call, id, req.json_object()))

    def delete(self, req, id) -> None:
        self.noun.delete(req.call, id)

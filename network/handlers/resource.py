"""The requests that every network resource has: list, show, create (one or many), update and delete."""

from common import errors
from network.handlers import listing, preconditions
from network.services.resource import Resource

MAX_PER_REQUEST = 200


class Handlers:
    """The handlers of one resource."""

    def __init__(self, resource: Resource):
        self.resource = resource

    def _given(self, req) -> dict:
        given = req.json_object().get(self.resource.singular)
        if not isinstance(given, dict):
            raise self._absent()
        return given

    def _absent(self) -> errors.BadRequest:
        return errors.BadRequest(f"Unable to find '{self.resource.singular}' in request body")

    def index(self, req):
        found, ids = self.resource.index(req.call, listing.query(req))
        body: dict = {self.resource.plural: [listing.fields(req, r) for r in found]}
        if links := listing.links(req, ids):
            body[f"{self.resource.plural}_links"] = links
        return body

    def show(self, req, id):
        return {self.resource.singular: listing.fields(req, self.resource.show(req.call, id))}

    def create(self, req):
        body = req.json_object()
        many = self.resource.plural in body
        given = body.get(self.resource.plural) if many else [body.get(self.resource.singular)]
        if not isinstance(given, list) or not given or not all(isinstance(g, dict) for g in given):
            raise self._absent()
        if len(given) > MAX_PER_REQUEST:
            raise errors.BadRequest(f"At most {MAX_PER_REQUEST} resources can be created at once.")
        shown = [listing.fields(req, r) for r in self.resource.create(req.call, given)]
        return {self.resource.plural: shown} if many else {self.resource.singular: shown[0]}

    def check_create(self, req):
        """Check whether the caller may create this, for services that create it later with their own rights."""
        self.resource.checked(req.call, self._given(req))

    def update(self, req, id):
        shown = self.resource.update(req.call, id, self._given(req), preconditions.revision(req))
        return {self.resource.singular: listing.fields(req, shown)}

    def delete(self, req, id):
        self.resource.delete(req.call, id, preconditions.revision(req))

"""Tags of projects."""


from common import errors, schema, wsgi
from identity.schemas import project_tags as schemas
from identity.services import project_tags

_CHECK = schema.compiled(project_tags.TAG)


def _answer(req, tags: list[str]) -> dict:
    return {"tags": tags, "links": {"self": req.path_url, "next": None, "previous": None}}


def index(req, id):
    return _answer(req, project_tags.read(req.call, id, "list_project_tags"))


@wsgi.body(schemas.REPLACE)
def replace(req, id, body):
    return _answer(req, project_tags.change(req.call, id, "update_project_tags", lambda old: body["tags"]))


def clear(req, id):
    project_tags.change(req.call, id, "delete_project_tags", lambda old: [])


def check(req, id, tag):
    if tag not in project_tags.read(req.call, id, "get_project_tag"):
        raise errors.NotFound(f"Could not find project tag: {tag}.")


def add(req, id, tag):
    _CHECK(tag)
    project_tags.change(req.call, id, "create_project_tag", lambda old: [*old, *([] if tag in old else [tag])])
    response = wsgi.Response(status=201)
    response.location = req.path_url
    return response


def remove(req, id, tag):
    def edit(old):
        if tag not in old:
            raise errors.NotFound(f"Could not find project tag: {tag}.")
        return [t for t in old if t != tag]
    project_tags.change(req.call, id, "delete_project_tag", edit)

"""What OpenStack has and this cloud does not is told apart from what nobody has."""

import pytest

from common import errors, unsupported, wsgi

PROJECT = "0123456789abcdef0123456789abcdef"
TABLE = unsupported.Table("/v2.1", [
    unsupported.Part("/os-aggregates", "host aggregates"), unsupported.Part("/servers/{id}/shares", "shares of servers"),
    unsupported.Part("/os-cells", "the commands of cells v1", removed=True),
    unsupported.Part("/images", "uploads", ("POST",), removed=True)], project=True)


@pytest.fixture(scope="module")
def app():
    handler = {"found": True}
    return wsgi.Application("test", None, [
        wsgi.Route("GET", "/v2.1/images", lambda req: handler),
        wsgi.Route("GET", "/v2.1/old", lambda req: handler, versions=((2, 1), (2, 35))),
        wsgi.Route("GET", "/v2.1/new", lambda req: handler, versions=((2, 40), None))], missing=TABLE)


def refused(app, method: str, path: str, version=(2, 1)) -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        app({"REQUEST_METHOD": method, "PATH_INFO": path, "SERVER_NAME": "x", "SERVER_PORT": "1", "wsgi.url_scheme": "http",
             "pileus.microversion": version}, lambda *a: None)
    return caught.value


@pytest.mark.parametrize("path", ["/os-aggregates", "/os-aggregates/1/action", "/os-aggregates/", "/servers/x/shares/y"])
def test_a_missing_feature_is_named(app, path):
    for prefix in ("/v2.1", f"/v2.1/{PROJECT}"):
        error = refused(app, "GET", prefix + path)
        assert error.status == 404 and "This cloud does not support " in error.public


@pytest.mark.parametrize("path", ["/v2.1/os-aggregate", "/v2.1/os-aggregates-x", "/v2.1/x/os-aggregates", "/os-aggregates",
                                  "/v2.1/servers/x/y/shares", "/v2.1/servers//shares", "/v2.10/os-aggregates"])
def test_a_mistyped_path_is_only_not_found(app, path):
    error = refused(app, "GET", path)
    assert (error.status, error.public) == (404, "The resource could not be found.")


def test_what_openstack_removed_is_gone(app):
    assert refused(app, "GET", "/v2.1/os-cells/detail").status == 410
    assert refused(app, "POST", "/v2.1/images").status == 410
    assert refused(app, "PUT", "/v2.1/images").status == 405  # one method of a path, and nothing else of it


def test_a_refusal_contains_the_microversions_that_support_a_request(app):
    error = refused(app, "GET", "/v2.1/old", (2, 36))
    assert error.status == 404
    assert error.public == "API version 2.36 is not supported on this method: it exists from 2.1 to 2.35."
    assert refused(app, "GET", "/v2.1/new", (2, 39)).public.endswith("it exists from 2.40 on.")


def test_actions():
    features = {"migrate": "migrations of servers"}
    assert str(unsupported.unknown_action({"migrate": None}, features)) == (
        "There is no such action: migrate. This cloud does not support migrations of servers.")
    assert str(unsupported.unknown_action({"migrat": None}, features)) == "There is no such action: migrat"

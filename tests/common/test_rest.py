"""REST between services: whose words an error has, and what is done about tokens that are not valid any more."""

import io
import types

import pytest

from common import errors, rest
from common.context import Context


@pytest.mark.parametrize("payload, text", [
    (b"<html><body><h1>400 Bad Request</h1>\n'a' is not one of [&#x27;b&#x27;], 1 &lt; 2<br /><br />\n\n</body></html>",
     "'a' is not one of ['b'], 1 < 2"),
    (b'{"badRequest": {"code": 400, "message": "A &lt; is kept."}}', "A &lt; is kept."),
    (b"plain &amp; simple", "plain &amp; simple"),
])
def test_the_text_of_an_error(payload, text):
    assert rest.error_text(payload) == text


class Service(rest.RestClient):
    """One of which the first token is not valid any more."""

    def __init__(self):
        super().__init__(types.SimpleNamespace(endpoints=types.SimpleNamespace(image="http://image")))
        self.sent: list[dict] = []
        self.bodies: list[bytes | None] = []

    def service_token(self, *, fresh=False):
        return "fresh" if fresh else "old"

    def _send(self, method, url, headers, body, timeout_s, service, **more):
        self.sent.append(dict(headers))
        self.bodies.append(body and body.read())
        return types.SimpleNamespace(status=401 if "old" in headers.values() or "expired" in headers.values() else 200, data=b"")


@pytest.mark.parametrize("ctx", [None, Context(token="t", access_rules=(("image", "GET", "/v2/images"),))])
def test_a_service_renews_its_token_also_beside_a_users(ctx):
    """A restricted user was refused until the service's token was to be renewed anyway."""
    service = Service()
    service.request("GET", "image", rest.path("/v2/images"), ctx=ctx)
    name = "X-Service-Token" if ctx else "X-Auth-Token"
    assert [headers[name] for headers in service.sent] == ["old", "fresh"]


def test_a_file_is_sent_again_with_the_renewed_token():
    """The image service waited ten minutes for the rest of an upload, of which it had refused the first try."""
    service = Service()
    service.request("PUT", "image", rest.path("/v2/images/file"), body=io.BytesIO(b"data"))
    assert service.bodies == [b"data", b"data"]


def test_a_users_token_is_not_renewed():
    service = Service()
    with pytest.raises(errors.Unauthorized):
        service.request("GET", "image", rest.path("/v2/images"), ctx=Context(token="expired"))
    assert len(service.sent) == 1

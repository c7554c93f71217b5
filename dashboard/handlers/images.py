"""Images that the project may use."""

from common.rest import path
from dashboard.pages import call, render


def index(req):
    return render(req, "images.html", images=call(req, "GET", "image", path("/v2/images?limit=200"))["images"])

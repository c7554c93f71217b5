"""Images that the project may use."""

from dashboard.pages import call, render


def index(req):
    return render(req, "images.html", images=call(req, "GET", "image", "/v2/images?limit=200")["images"])

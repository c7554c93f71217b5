"""Routes of the console proxy: pages, their files, and the WebSocket. The paths are those of noVNC and websockify."""

from common.wsgi import Route
from compute_api.console.handlers import pages, streams

ROUTES = [Route("GET", "/", streams.connect), Route("GET", "/websockify", streams.connect),
          *(Route("GET", f"/{name}", pages.page(name)) for name in pages.PAGES), Route("GET", "/files/{file}", pages.show)]

"""Every page of the dashboard, at the paths of Horizon."""

from common.wsgi import Route
from dashboard import assets
from dashboard.handlers import access, auth, live, overview, parts, topology, uploads, usage
from dashboard.handlers.panels import Handlers
from dashboard.panels import PANELS

ROUTES = [
    Route("GET", "/", auth.home), Route("GET", "/static/{name}", assets.show),
    Route("GET", "/auth/login", auth.show), Route("POST", "/auth/login", auth.log_in),
    Route("POST", "/auth/logout", auth.log_out), Route("POST", "/auth/switch", auth.switch),
    Route("GET", "/about/parts", parts.show), Route("GET", "/live", live.show),
    Route("GET", "/project", overview.show), Route("GET", "/project/api_access", access.show),
    Route("GET", "/project/api_access/{file}", access.download),
    Route("GET", "/project/usage", usage.of_project), Route("GET", "/admin/usage", usage.of_all),
    Route("GET", "/project/network_topology", topology.show),
    Route("GET", "/project/images/upload", uploads.ask), Route("POST", "/project/images/upload", uploads.create),
    *(route for panel in PANELS for route in Handlers(panel).routes()),
]

"""Every page of the dashboard, at the paths of Horizon."""

from common.wsgi import Route
from dashboard import assets
from dashboard.handlers import access, account, auth, host_map, live, overview, parts, search, settings, topology, uploads, usage
from dashboard.handlers.panels import Handlers
from dashboard.panels import PANELS

ROUTES = [
    Route("GET", "/", auth.home), Route("GET", "/static/{name}", assets.show),
    Route("GET", "/auth/login", auth.show), Route("POST", "/auth/login", auth.log_in),
    Route("POST", "/auth/logout", auth.log_out), Route("POST", "/auth/switch", auth.switch),
    Route("POST", "/auth/language", auth.choose_language),
    Route("POST", "/auth/region", auth.switch_region),
    Route("GET", "/auth/account", account.show), Route("POST", "/auth/stay", account.stay),
    Route("POST", "/auth/everywhere", account.log_out_everywhere),
    Route("POST", "/auth/websso", account.take), Route("GET", "/auth/websso", account.confirm),
    Route("POST", "/auth/websso/confirm", account.accept),
    Route("GET", "/about/parts", parts.show), Route("GET", "/live", live.show),
    Route("GET", "/search", search.show),
    Route("GET", "/project", overview.show), Route("GET", "/project/api_access", access.show),
    Route("GET", "/project/api_access/{file}", access.download),
    Route("GET", "/project/usage", usage.of_project), Route("GET", "/admin/usage", usage.of_all),
    Route("GET", "/admin/host_map", host_map.show), Route("GET", "/project/network_topology", topology.show),
    Route("GET", "/project/network_topology/{kind}/{id}", topology.node),
    Route("GET", "/settings/password", settings.ask_password), Route("POST", "/settings/password", settings.change_password),
    Route("GET", "/admin/defaults", settings.ask_defaults), Route("POST", "/admin/defaults", settings.set_defaults),
    Route("GET", "/project/images/upload", uploads.ask), Route("POST", "/project/images/upload", uploads.create),
    *(route for panel in PANELS for route in Handlers(panel).routes()),
]

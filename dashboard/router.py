"""Every page of the dashboard, at the paths of Horizon."""

from common.wsgi import Route
from dashboard import pages
from dashboard.handlers import auth, hosts, images, instances, keypairs, networks, overview, volumes

ROUTES = [
    Route("GET", "/", auth.home), Route("GET", "/static/{name}", pages.static),
    Route("GET", "/auth/login", auth.show), Route("POST", "/auth/login", auth.log_in),
    Route("POST", "/auth/logout", auth.log_out), Route("POST", "/auth/switch", auth.switch),
    Route("GET", "/project", overview.show),
    Route("GET", "/project/instances", instances.index), Route("GET", "/project/instances/launch", instances.ask),
    Route("POST", "/project/instances/launch", instances.launch), Route("GET", "/project/instances/{id}", instances.show),
    Route("POST", "/project/instances/{id}/{verb}", instances.act),
    Route("GET", "/project/instances/{id}/{verb}", instances.console),
    Route("GET", "/project/volumes", volumes.index), Route("POST", "/project/volumes", volumes.create),
    Route("POST", "/project/volumes/{id}/{verb}", volumes.act),
    Route("GET", "/project/images", images.index), Route("GET", "/project/networks", networks.index),
    Route("POST", "/project/floating_ips", networks.allocate),
    Route("POST", "/project/floating_ips/{id}/release", networks.release),
    Route("GET", "/project/key_pairs", keypairs.index), Route("POST", "/project/key_pairs", keypairs.create),
    Route("POST", "/project/key_pairs/{name}/delete", keypairs.delete),
    Route("GET", "/admin/hosts", hosts.index),
]

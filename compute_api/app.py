"""Paste factory of the compute API."""

import re

from common.microversion import Negotiator
from common.wsgi import SERVICES, Application
from compute_api import router, unsupported
from compute_api.handlers.versions import MAXIMUM, MINIMUM

# Servers, by the path that once was the only one to boot from volumes.
_ALIAS = re.compile(r"(/v2\.1(?:/[^/]+)?)/os-volumes_boot(?=/|$)")


class Legacy:
    """/v2 is /v2.1 without microversions, for clients that predate them. /os-volumes_boot is an alias of /servers."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith("/v2/") and path != "/v2/":
            environ["PATH_INFO"] = "/v2.1" + path[3:]
            for header in ("HTTP_OPENSTACK_API_VERSION", "HTTP_X_OPENSTACK_NOVA_API_VERSION"):
                environ.pop(header, None)
        if alias := _ALIAS.match(environ.get("PATH_INFO", "")):
            environ["PATH_INFO"] = f"{alias[1]}/servers{environ['PATH_INFO'][alias.end():]}"
        return self.app(environ, start_response)


def app_factory(global_conf, **local):
    negotiate = Negotiator("compute", MINIMUM, MAXIMUM, legacy="X-OpenStack-Nova-API-Version")
    return Legacy(Application("compute", SERVICES[global_conf["pileus_service"]], router.ROUTES, negotiate=negotiate,
                              missing=unsupported.TABLE, exact_paths=True))

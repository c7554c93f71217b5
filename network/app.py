"""Paste factory of the network API."""

import re

from common.wsgi import SERVICES, Application
from network import router, unsupported
from network.handlers import preconditions

# Old clients request ``/v2.0/networks.json`` and ``/v2.0/networks/ID.json``. Names of tags may have such an ending
# too.
_OLD_SPELLING = re.compile(r"(/v2\.0/(?:(?!.*/tags/).+))\.json")


class NetworkApplication(Application):
    def __call__(self, environ, start_response):
        if old := _OLD_SPELLING.fullmatch(environ.get("PATH_INFO", "")):
            environ["PATH_INFO"] = old[1]
        return super().__call__(environ, start_response)


def application(service) -> Application:
    return NetworkApplication("network", service, router.ROUTES,
                              negotiate=lambda req: preconditions.of_request(req, router.WITH_REVISIONS),
                              missing=unsupported.TABLE)


def app_factory(global_conf, **local):
    return application(SERVICES[global_conf["pileus_service"]])

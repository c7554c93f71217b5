"""Paste factory of the network API."""

from common.wsgi import SERVICES, Application
from network import router


def app_factory(global_conf, **local):
    return Application("network", SERVICES[global_conf["pileus_service"]], router.ROUTES)

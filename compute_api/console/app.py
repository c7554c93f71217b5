"""Paste factory of the console proxy."""

from common.wsgi import SERVICES, Application
from compute_api.console import router


def app_factory(global_conf, **local):
    return Application("console", SERVICES[global_conf["pileus_service"]], router.ROUTES)

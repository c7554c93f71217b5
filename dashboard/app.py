"""Paste factory of the dashboard."""

from common.wsgi import SERVICES, Application
from dashboard import router


def app_factory(global_conf, **local):
    return Application("dashboard", SERVICES[global_conf["pileus_service"]], router.ROUTES)

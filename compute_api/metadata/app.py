"""Metadata over HTTP, for guests, through the network agent of their host.

The agent listens at 169.254.169.254 in each network, knows which port a
connection came from, and signs the server's id; nothing a guest sends can
name another server. Trees: OpenStack (``/openstack``) and EC2 (``/latest``…).
"""

import hashlib
import hmac
import re

import sqlalchemy as sa
import webob

from common import errors, guest, rows, values
from common.wsgi import SERVICES
from compute_api.handlers import server_password
from conductor.db import instances, models

PASSWORD = re.compile(r"/openstack/(latest|\d{4}-\d\d-\d\d)/password/?")


def sign(secret: str, server_uuid: str) -> str:
    return hmac.new(secret.encode(), server_uuid.encode(), hashlib.sha256).hexdigest()


class MetadataApp:
    def __init__(self, service):
        self.service = service

    def __call__(self, environ, start_response):
        req = webob.Request(environ)
        uuid = req.headers.get("X-Instance-ID", "")
        secret = self.service.conf.compute.metadata_secret
        given = req.headers.get("X-Instance-ID-Signature", "")
        if not secret or not values.same_secret(given, sign(secret, uuid)):
            raise errors.Forbidden("Invalid proxy request signature.")
        posts = req.method == "POST" and PASSWORD.fullmatch(req.path_info)
        if req.method not in ("GET", "HEAD") and not posts:
            raise errors.MethodNotAllowed()
        with self.service.db.reader() as connection:
            row = rows.one(connection, sa.select(models.instances).where(models.instances.c.uuid == uuid))
            row = instances.add_block_devices(connection, [row])[0] if row else None
        tenant = req.headers.get("X-Tenant-ID")
        if row is None or tenant != row["project_id"]:
            raise errors.NotFound("The resource could not be found.")
        if posts:
            server_password.post(self.service, uuid, req.body_file.read(server_password.LIMIT + 1))
            return webob.Response(b"")(environ, start_response)
        content = guest.lookup(row, req.path_info)
        if content is None:
            raise errors.NotFound("The resource could not be found.")
        kind = "application/json" if req.path_info.endswith(".json") else "text/plain"
        if isinstance(content, bytes):
            response = webob.Response(content, content_type="application/octet-stream")
        else:
            response = webob.Response(content, content_type=kind, charset="UTF-8")
        return response(environ, start_response)


def app_factory(global_conf, **local):
    return MetadataApp(SERVICES[global_conf["pileus_service"]])

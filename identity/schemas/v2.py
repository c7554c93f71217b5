"""Bodies of requests: the v2.0 API."""

from common import schema

_TEXT = {"type": "string", "maxLength": 255}
_PASSWORD = {"type": "string", "maxLength": 4096}
_URL = {"type": ["string", "null"], "maxLength": 2048, "pattern": "[A-Za-z]+://.*"}
_TENANT_ID = {"type": ["string", "null"], "maxLength": 64}
AUTH = schema.obj({"auth": schema.obj({
    "passwordCredentials": schema.obj({"username": _TEXT, "userId": _TEXT, "password": _PASSWORD}, ["password"]),
    "token": schema.obj({"id": {"type": "string", "maxLength": 8192}}, ["id"], extra=True),
    "tenantName": {"type": ["string", "null"], "maxLength": 255}, "tenantId": _TENANT_ID,
    "trust_id": {"type": "string", "maxLength": 64}})}, ["auth"])
SERVICE = schema.wrapped("OS-KSADM:service", {
    "name": schema.TEXT, "type": schema.NAME, "description": schema.LONG_TEXT}, ("type",), extra=True)
ENDPOINT = schema.wrapped("endpoint", {
    "service_id": schema.NAME, "region": schema.TEXT, "publicurl": {**_URL, "type": "string"}, "internalurl": _URL,
    "adminurl": _URL}, ("service_id", "publicurl"), extra=True)
ROLE = schema.wrapped("role", {"name": schema.NAME}, ("name",), extra=True)
_TENANT = {"id": {"type": "string", "maxLength": 64}, "name": {**schema.NAME, "maxLength": 64},
           "description": schema.LONG_TEXT, "enabled": {"type": "boolean"}}
TENANT = schema.wrapped("tenant", _TENANT, ("name",), extra=True)
TENANT_UPDATE = schema.wrapped("tenant", _TENANT, extra=True)
USER = schema.wrapped("user", {
    "id": {"type": "string", "maxLength": 64}, "name": schema.NAME, "username": schema.NAME,
    "password": {**_PASSWORD, "type": ["string", "null"]}, "email": schema.TEXT, "enabled": {"type": "boolean"},
    "tenantId": _TENANT_ID, "tenant_id": _TENANT_ID}, extra=True)
OWN_PASSWORD = schema.wrapped("user", {"password": _PASSWORD, "original_password": _PASSWORD},
                              ("password", "original_password"))

"""Images of a server's disk: created as the user, uploaded by the server's host."""

from common import wsgi
from compute_api.services import server_images


def create(req, id, arguments):
    return _made(req, server_images.create(
        req.call, id, arguments, "os_compute_api:servers:create_image", "image_snapshot", "createImage", {}))


def back_up(req, id, arguments):
    """Create a backup image. For each ``backup_type`` only the last ``rotation`` images are kept."""
    return _made(req, server_images.create(
        req.call, id, arguments, "os_compute_api:os-create-backup", "image_backup", "createBackup",
        {"image_type": "backup", "backup_type": arguments["backup_type"], "backup_rotation": str(arguments["rotation"])}))


def _made(req, image_id: str) -> wsgi.Response:
    if req.version >= (2, 45):
        return wsgi.json_response({"image_id": image_id}, 202)
    response = wsgi.Response(status=202)
    response.headers["Location"] = f"{req.svc.conf.endpoints.image}/images/{image_id}"
    return response

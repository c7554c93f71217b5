"""What the service says of itself: where image data is kept, and how much of it a project has."""

import sqlalchemy as sa

from image.db.images import THERE
from image.db.models import images as TABLE

STORE = "file"


def index(req):
    return {"stores": [{"id": STORE, "description": "Files on the image service's host", "default": "true"}]}


def detail(req):
    req.svc.policy.check(req.ctx, "stores_info_detail", {})
    return {"stores": [{"id": STORE, "type": "file", "description": "Files on the image service's host", "default": "true",
                        "properties": {"data_dir": str(req.svc.store.path), "chunk_size": 1 << 20}}]}


def usage(req):
    """What the caller's project uses of its quota; -1 is no limit."""
    owned = sa.and_(TABLE.c.owner == req.ctx.project_id, THERE)
    with req.svc.db.reader() as connection:
        count, size = connection.execute(sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(TABLE.c.size), 0)).where(
            owned)).one()
    return {"usage": {"image_count_total": {"limit": req.svc.conf.image.quota_images, "usage": count},
                      "image_size_total": {"limit": -1, "usage": int(size) >> 20}}}

"""Image data: upload and download as streams."""

from common import errors, wsgi
from image.services import data
from image.stores.base import CHUNK


def require_octets(req) -> None:
    if (req.content_type or "").split(";")[0] != "application/octet-stream":
        raise errors.UnsupportedMediaType("Image data must be sent as application/octet-stream.")


def sent(req) -> data.Upload:
    """The body of a request, as a stream."""
    return data.Upload(req.environ["wsgi.input"], req.content_length)


def upload(req, id):
    require_octets(req)
    data.upload(req.call, id, sent(req), req.headers.get("X-Image-Meta-Store"))


class _Stream:
    """The rest of a file in chunks, ``length`` bytes of it."""

    def __init__(self, handle, length: int):
        self.handle, self.left = handle, length

    def __iter__(self):
        return self

    def __next__(self):
        chunk = self.handle.read(min(CHUNK, self.left))
        if not chunk:
            self.close()
            if self.left:  # after the Content-Length: closes the connection, so that the client notices
                raise OSError(f"the data ended {self.left} bytes early")
            raise StopIteration
        self.left -= len(chunk)
        return chunk

    def close(self):
        self.handle.close()


def download(req, id):
    row, handle = data.open_data(req.call, id)
    if handle is None:
        return wsgi.empty(204)
    start, end, status = 0, row["size"], 200
    if req.range is not None:
        chosen = req.range.range_for_length(row["size"])
        if chosen is None:
            handle.close()
            raise errors.RangeNotSatisfiable(f"The requested range is not within {row['size']} bytes.")
        (start, end), status = chosen, 206
    handle.seek(start)
    response = wsgi.Response(status=status, content_type="application/octet-stream",
                             app_iter=_Stream(handle, end - start))
    response.content_length = end - start
    if status == 206:
        response.content_range = (start, end, row["size"])
    if row["checksum"]:
        response.headers["Content-MD5"] = row["checksum"]
    return response

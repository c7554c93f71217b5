"""Images as objects of a Swift container (python-swiftclient); large images are stored in segments."""

from image.stores import base

_STEP = 16 << 20


class _Part:
    """``size`` bytes of a source, as a stream of its own."""

    def __init__(self, source: base.Source, size: int):
        self.source, self.left = source, size

    def read(self, size: int = -1) -> bytes:
        chunk = self.source.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(chunk)
        return chunk


class SwiftStore(base.Store):
    kind = "swift"

    def __init__(self, name: str, conf):
        super().__init__(name, conf)
        import swiftclient  # imported late: needed only with such a store
        self.swift = swiftclient
        self.failures = (swiftclient.ClientException, OSError)
        self.container = conf.swift_store_container

    def describe(self) -> str:
        return "Objects of a Swift container"

    def properties(self) -> dict:
        return {"container": self.container, "large_object_size": self.conf.swift_store_large_object_size}

    def url(self, image_id: str) -> str:
        host = self.conf.swift_store_auth_address.partition("://")[2]
        return f"swift+https://{host}/{self.container}/{image_id}"

    def _connect(self):
        project, _, user = self.conf.swift_store_user.rpartition(":")
        version = self.conf.swift_store_auth_version
        options = {"region_name": self.conf.swift_store_region or None}
        if version == "3":
            options.update(project_name=project, user_domain_id="default", project_domain_id="default")
        return self.swift.Connection(
            authurl=self.conf.swift_store_auth_address, user=user if version == "3" else self.conf.swift_store_user,
            key=self.conf.swift_store_key, auth_version=version, os_options=options, retries=2, timeout=60)

    def _segments(self, connection, image_id: str) -> list[str]:
        _, found = connection.get_container(self.container, prefix=f"{image_id}-", full_listing=True)
        return [each["name"] for each in found]

    def put(self, image_id: str, source: base.Source) -> None:
        most = self.conf.swift_store_large_object_size << 20
        connection = self._connect()
        try:
            connection.put_container(self.container)
            if source.size <= most:
                connection.put_object(self.container, image_id, _Part(source, source.size), content_length=source.size,
                                      chunk_size=base.CHUNK)
                return
            for number in range(-(-source.size // most)):
                size = min(most, source.size - number * most)
                connection.put_object(self.container, f"{image_id}-{number:05}", _Part(source, size), content_length=size,
                                      chunk_size=base.CHUNK)
            connection.put_object(self.container, image_id, b"", headers={"X-Object-Manifest": f"{self.container}/{image_id}-"})
        except self.failures as error:
            raise self.away(error) from error
        finally:
            connection.close()

    def open(self, image_id: str):
        connection = self._connect()
        try:
            connection.head_object(self.container, image_id)
        except self.swift.ClientException as error:
            if error.http_status == 404:
                raise self.missing(image_id) from error
            raise self.away(error) from error
        except self.failures as error:
            raise self.away(error) from error
        return base.Ranged(lambda offset: self._body(connection, image_id, offset))

    def _body(self, connection, image_id: str, offset: int):
        try:
            _, body = connection.get_object(self.container, image_id, resp_chunk_size=_STEP, headers={
                "Range": f"bytes={offset}-"})
        except self.failures as error:
            raise self.away(error) from error
        return _Body(connection, body)

    def delete(self, image_id: str) -> None:
        connection = self._connect()
        try:
            for name in [image_id, *self._segments(connection, image_id)]:
                self._delete(connection, name)
        except self.swift.ClientException as error:
            if error.http_status != 404:  # the container does not exist
                raise self.away(error) from error
        except self.failures as error:
            raise self.away(error) from error
        finally:
            connection.close()

    def _delete(self, connection, name: str) -> None:
        try:
            connection.delete_object(self.container, name)
        except self.swift.ClientException as error:
            if error.http_status != 404:
                raise

    def stored(self) -> set[str]:
        """The ids of images; those of segments are taken from their names."""
        connection = self._connect()
        try:
            _, found = connection.get_container(self.container, full_listing=True)
            return {each["name"][:36] for each in found}
        except self.swift.ClientException as error:
            if error.http_status == 404:
                return set()
            raise self.away(error) from error
        except self.failures as error:
            raise self.away(error) from error
        finally:
            connection.close()


class _Body:
    """The data of an object, read up to the requested size."""

    def __init__(self, connection, body):
        self.connection, self.body = connection, body

    def read(self, size: int) -> bytes:
        return self.body.read(size)

    def close(self) -> None:
        self.connection.close()

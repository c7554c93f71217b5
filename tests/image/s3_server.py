"""An S3 server in this process (moto's), on a port of its own."""

import contextlib


@contextlib.contextmanager
def running():
    """Its URL, while it runs."""
    from moto.server import ThreadedMotoServer
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def settings(url: str) -> list[str]:
    """Lines of a store's group in a configuration file."""
    return [f"s3_store_host = {url}", "s3_store_access_key = key", "s3_store_secret_key = secret", "s3_store_bucket = images",
            "s3_store_create_bucket_on_put = true", "s3_store_large_object_chunk_size = 5"]

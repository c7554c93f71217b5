"""MariaDB connections that share one TLS context.

PyMySQL offers TLS to every server and creates a context per connection, which loads the system's certificates: 10 ms and 0.5 MB,
although the server's certificate is not verified by default. Connections with TLS options in their URL get contexts of their own.
"""

import functools
import ssl

import pymysql.connections


class Connection(pymysql.connections.Connection):
    def _create_ssl_ctx(self, sslp):
        return super()._create_ssl_ctx(sslp) if sslp else _offered()


@functools.cache
def _offered() -> ssl.SSLContext:
    """TLS if the server offers it, without verification, which is PyMySQL's default."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def connect(dialect, record, arguments, options) -> Connection:
    """Listener of SQLAlchemy's event ``do_connect``."""
    return Connection(*arguments, **options)

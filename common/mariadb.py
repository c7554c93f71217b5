"""Connections to MariaDB that share one TLS context.

PyMySQL offers TLS to every server, and makes a context for each connection: that reads the system's certificates, which
nobody checks then, and takes 10 ms and 0.5 MB. A URL that asks for certificates gets contexts of its own.
"""

import functools
import ssl

import pymysql.connections


class Connection(pymysql.connections.Connection):
    def _create_ssl_ctx(self, sslp):
        return super()._create_ssl_ctx(sslp) if sslp else _offered()


@functools.cache
def _offered() -> ssl.SSLContext:
    """For TLS where the server has it, without a look at who it is: as PyMySQL does unless told more."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def connect(dialect, record, arguments, options) -> Connection:
    """SQLAlchemy's event ``do_connect``."""
    return Connection(*arguments, **options)

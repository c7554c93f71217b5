"""Connections to databases."""

import socket
import time

import pytest
import sqlalchemy as sa

from common import db


def test_a_postgresql_host_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(db, "CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = db.Database("test", f"postgresql+psycopg2://u:p@127.0.0.1:{port}/x").engine
        began = time.monotonic()
        with pytest.raises(sa.exc.OperationalError, match="timeout expired"):
            engine.connect()
        assert time.monotonic() - began < 3

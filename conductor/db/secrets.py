"""Secrets of servers, sealed with keys that are not in the database (``common.vault``)."""

import datetime
import secrets

import sqlalchemy as sa

from common import db
from common.vault import Vault
from conductor.db import allocations, models

TABLE = models.instance_secrets
# The password for a config drive or for injection, until the host reports that the guest has it; the key of the TPM's state.
ADMIN_PASSWORD, TPM = "admin_password", "tpm"
KEY_BYTES = 32
UNUSED = datetime.timedelta(days=1)  # after which a password is removed that nobody has fetched, or no report of has come


def vault_of(conf) -> Vault:
    return Vault(conf.compute.secret_keys_file or f"{conf.state_path}/compute/secret-keys")


def are_injected(conf, row: dict) -> bool:
    """Whether a server's host asks for its password."""
    return bool(row["config_drive"] or conf.libvirt.inject_password)


def put_password(connection, vault: Vault, uuids: list[str], password: str) -> None:
    """Keep a password for each of these servers, in place of the former one."""
    drop_password(connection, *uuids)
    same = {"kind": ADMIN_PASSWORD, "sealed": vault.seal(password), "created_at": db.now()}
    connection.execute(sa.insert(TABLE), [{"instance_uuid": uuid, **same} for uuid in uuids])


def drop_password(connection, *uuids: str) -> None:
    connection.execute(sa.delete(TABLE).where(TABLE.c.instance_uuid.in_(uuids), TABLE.c.kind == ADMIN_PASSWORD))


def of_host(connection, vault: Vault, uuid: str, kind: str, host: str) -> str | None:
    """A secret, for a host that has the server or is about to get it; None: there is none, or it is not for this host.

    The key of a TPM is made when it is first asked for.
    """
    if host not in allocations.hosts_of(connection, uuid):
        return None
    where = (TABLE.c.instance_uuid == uuid, TABLE.c.kind == kind)
    sealed = connection.execute(sa.select(TABLE.c.sealed).where(*where)).scalar()
    if sealed is None and kind == TPM:
        sealed = vault.seal(secrets.token_hex(KEY_BYTES))
        connection.execute(sa.insert(TABLE).values(instance_uuid=uuid, kind=kind, sealed=sealed, created_at=db.now()))
    return None if sealed is None else vault.open(sealed)


def drop_unused(connection) -> None:
    connection.execute(sa.delete(TABLE).where(TABLE.c.kind == ADMIN_PASSWORD, TABLE.c.created_at < db.now() - UNUSED))

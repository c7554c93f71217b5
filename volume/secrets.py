"""The CHAP secrets in connection info, as they are stored and sent over the bus."""

from common.vault import Vault, open_chap, seal_chap


def vault_of(conf) -> Vault:
    return Vault(conf.volume.secret_keys_file or f"{conf.state_path}/volume/secret-keys")


def sealed(vault: Vault, info: dict) -> dict:
    """Connection info as it is stored and sent over the bus: {"driver_volume_type", "data"}, or {}."""
    return {**info, "data": seal_chap(vault, info["data"])} if info.get("data") else info


def opened(vault: Vault, info: dict) -> dict:
    return {**info, "data": open_chap(vault, info["data"])} if info.get("data") else info

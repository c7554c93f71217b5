"""Encryption of the CHAP secrets in connection info, for storage and RPC messages."""

from common.vault import Vault, open_chap, seal_chap


def vault_of(conf) -> Vault:
    return Vault(conf.volume.secret_keys_file or f"{conf.state_path}/volume/secret-keys")


def sealed(vault: Vault, info: dict) -> dict:
    """Connection info for storage and RPC messages: {"driver_volume_type", "data"}, or {}."""
    return {**info, "data": seal_chap(vault, info["data"])} if info.get("data") else info


def opened(vault: Vault, info: dict) -> dict:
    return {**info, "data": open_chap(vault, info["data"])} if info.get("data") else info

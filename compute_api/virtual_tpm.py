"""Servers with a TPM: what is refused for them, as in Nova, because the state of the TPM would be lost."""

from common import errors


def refuse(row: dict, operation: str) -> None:
    """:raises BadRequest: the server has a TPM"""
    specs, properties = row["flavor"].get("extra_specs") or {}, row["image_meta"].get("properties") or {}
    if specs.get("hw:tpm_version") or properties.get("hw_tpm_version"):
        raise errors.BadRequest(f"Operation '{operation}' not supported for vTPM-enabled instance ({row['uuid']}).")

"""The journal keys of tasks for one volume of a server. Several servers of a host may have the same volume."""

_ID_LENGTH = 36


def key_of_volume(volume_id: str, uuid: str) -> str:
    return f"{volume_id}-{uuid}"


def volume_of(key: str) -> str:
    """The volume's id. The previous release wrote keys that were that alone."""
    return key[:_ID_LENGTH]

"""Files for a new server (until 2.56), provided on its config drive and by the metadata service."""

import base64

from common import errors


def of(given: dict) -> list[dict] | None:
    """[{"path", "contents": base64}] of a request to create or rebuild a server; None if it names none.

    :raises BadRequest: the contents are not base64, or two files have one path
    """
    if "personality" not in given:
        return None
    found: dict[str, dict] = {}
    for file in given["personality"]:
        path, contents = file["path"], "".join(file["contents"].split())
        try:
            base64.b64decode(contents, validate=True)
        except ValueError:
            raise errors.BadRequest(f"Personality content for {path} cannot be decoded") from None
        if path in found:
            raise errors.BadRequest(f"There are two files for {path} in the personality.")
        found[path] = {"path": path, "contents": contents}
    return list(found.values())


def check(limit: dict[str, int], files: list[dict] | None) -> None:
    """:param limit: the project's quotas. :raises Forbidden: there are more files, larger ones, or longer paths"""
    for file in files or []:
        size = len(base64.b64decode(file["contents"]))
        if 0 <= limit["injected_file_path_bytes"] < len(file["path"].encode()):
            raise errors.Forbidden("Personality file path exceeds maximum")
        if 0 <= limit["injected_file_content_bytes"] < size:
            raise errors.Forbidden("Personality file content exceeds maximum")
    if 0 <= limit["injected_files"] < len(files or []):
        raise errors.Forbidden("Personality file limit exceeded")

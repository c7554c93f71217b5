"""Images on their way to volumes."""

import collections.abc
import contextlib

from common import images, shared_work


@contextlib.contextmanager
def downloaded(service, state: dict) -> collections.abc.Iterator[tuple[str, dict]]:
    """Download an image for a volume, and remove the file afterwards.

    :param state: of a task: {"volume_id", "image_id", "project_id"}
    :returns: (path, image)
    :raises StepFailed: the image is gone, not for this project, damaged or hostile
    :raises Superseded: the volume is to be deleted
    """
    target = service.incoming / state["volume_id"]
    try:
        yield str(target), shared_work.attended(
            lambda work: images.fetch(service.rest, {"id": state["image_id"]}, target, state.get("project_id"), work),
            lambda: service.workers.has(state["volume_id"], ("delete_volume",)))
    finally:
        target.unlink(missing_ok=True)

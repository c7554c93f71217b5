"""What an image's own properties may be called."""

import pytest

from common import errors
from image.schemas.images import VALID


def test_names_have_a_length():
    VALID({"p" * 255: "v"})
    for name in ("", "p" * 256):
        with pytest.raises(errors.BadRequest):
            VALID({name: "v"})

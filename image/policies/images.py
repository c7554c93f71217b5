"""Rules of images and their data."""

from image.policies.base import ADMIN, OR_SERVICE, OWNERS_MEMBER, OWNERS_READER, SEEN_BY_MEMBER, SEEN_BY_READER, rule

_IMAGES, _IMAGE = "/v2/images", "/v2/images/{id}"

RULES = [
    rule("add_image", f"{ADMIN} or (role:member and project_id:%(project_id)s and project_id:%(owner)s)", "Create an image",
         f"POST {_IMAGES}"),
    rule("get_images", OWNERS_READER + OR_SERVICE, "List images", f"GET {_IMAGES}"),
    rule("get_image", SEEN_BY_READER + OR_SERVICE, "Show an image; to others it does not exist (404)", f"GET {_IMAGE}"),
    rule("modify_image", OWNERS_MEMBER + OR_SERVICE, "Change an image and its tags, stage its data and import it",
         f"PATCH {_IMAGE}", f"PUT {_IMAGE}/tags/{{tag}}", f"DELETE {_IMAGE}/tags/{{tag}}", f"PUT {_IMAGE}/stage",
         f"POST {_IMAGE}/import"),
    rule("delete_image", OWNERS_MEMBER + OR_SERVICE, "Delete an image", f"DELETE {_IMAGE}"),
    rule("publicize_image", ADMIN, "Make an image public", f"POST {_IMAGES}", f"PATCH {_IMAGE}"),
    rule("communitize_image", OWNERS_MEMBER, "Make an image a community image", f"POST {_IMAGES}", f"PATCH {_IMAGE}"),
    rule("upload_image", OWNERS_MEMBER + OR_SERVICE, "Upload an image's data", f"PUT {_IMAGE}/file"),
    rule("download_image", SEEN_BY_MEMBER + OR_SERVICE, "Download an image's data", f"GET {_IMAGE}/file"),
    rule("deactivate", OWNERS_MEMBER, "Deactivate an image, so that its data cannot be downloaded",
         f"POST {_IMAGE}/actions/deactivate"),
    rule("reactivate", OWNERS_MEMBER, "Reactivate an image", f"POST {_IMAGE}/actions/reactivate"),
    rule("copy_image", ADMIN, "Copy an image into more stores", f"POST {_IMAGE}/import"),
]

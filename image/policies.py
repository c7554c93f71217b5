"""Rules of the image service."""

RULES = [
    ("get_images", "", "list images"), ("get_image", "", "show an image that one may see"),
    ("add_image", "role:admin or role:member or role:manager or role:service", "create an image"),
    ("modify_image", "rule:member or rule:service", "change an image"),
    ("delete_image", "rule:member or rule:service", "delete an image"),
    ("upload_image", "rule:member or rule:service", "upload data"), ("download_image", "", "download data that one may see"),
    ("publicize_image", "rule:admin", "make an image public"),
    ("communitize_image", "rule:member", "make an image community"),
    ("modify_member", "rule:member", "say which projects an image is shared with"),
    # Not everybody who sees a public image: such a URL may carry what lets one in.
    ("get_image_location", "rule:reader", "see where an image's data is"),
    ("set_image_location", "rule:member", "name a URL as the data of an image"),
    ("delete_image_location", "rule:member", "take a URL from an image"),
    ("add_image_location", "rule:member or rule:service", "name a URL as the data of an image, and have it read"),
    ("fetch_image_location", "rule:service", "ask where an image's data is"),
    ("copy_image", "rule:admin", "copy an image into more stores"),
    ("cache_image", "rule:admin", "have an image fetched into the cache"), ("cache_list", "rule:admin", "see what the cache has"),
    ("cache_delete", "rule:admin", "take images from the cache"),
    ("stores_info_detail", "rule:admin", "see where a store keeps its data"),
    ("tasks_api_access", "rule:admin", "list, show and make tasks"),
    ("metadef_admin", "rule:admin", "change metadata definitions"),
    ("deactivate", "rule:member", "stop downloads of an image"), ("reactivate", "rule:member", "allow them again"),
]

"""The request that launches instances, of the values of its form, and what is wrong with these."""

import base64

from dashboard import cloud_init, forms
from dashboard.texts import Text

USER_DATA_BYTES = 49149  # 65535 in base64
NEW_KEY = "*new"  # no name of a key pair has an asterisk


def check(values: dict) -> None:
    """What depends on several fields. :raises Refused:"""
    wrong: dict[str, str] = {}
    needed = {"image": "image", "new-volume": "image", "volume": "volume", "snapshot": "snapshot"}[values["source"]]
    if not values[needed]:
        wrong[needed] = Text("Choose one.")
    if values["source"] == "new-volume" and not values["volume_gb"]:
        wrong["volume_gb"] = Text("The new volume needs a size.")
    text = values["user_data"]
    if len(text.encode()) > USER_DATA_BYTES:
        wrong["user_data"] = Text("Enter at most {most} bytes.", most=USER_DATA_BYTES)
    elif text and (said := cloud_init.mistake(text)):
        wrong["user_data"] = said
    if values["source"] == "volume" and values["count"] > 1:
        wrong["count"] = Text("One volume can boot only one instance.")
    if values.get("floating") and values["count"] > 1:
        wrong["floating"] = Text("One address is for one instance.")
    if wrong:
        raise forms.Refused(wrong)


def body(values: dict) -> dict:
    """The request of the compute API."""
    check(values)
    networks = [{"uuid": n} for n in values["networks"]] + [{"port": p} for p in values["ports"]]
    server: dict = {"name": values["name"], "flavorRef": values["flavor"], "min_count": values["count"],
                    "max_count": values["count"], "networks": networks or "auto"}
    server.update({to: values[of] for of, to in (("description", "description"), ("zone", "availability_zone"),
                                                 ("key_name", "key_name")) if values[of]})
    if values["groups"]:
        server["security_groups"] = [{"name": g} for g in values["groups"]]
    if values["user_data"]:
        server["user_data"] = base64.b64encode(values["user_data"].encode()).decode()
    if values["metadata"]:
        server["metadata"] = forms.pairs(values["metadata"])
    if values["config_drive"]:
        server["config_drive"] = True
    if values["source"] == "image":
        server["imageRef"] = values["image"]
    else:
        kind, of = ("image", "image") if values["source"] == "new-volume" else (values["source"], values["source"])
        device = {"boot_index": 0, "source_type": kind, "uuid": values[of], "destination_type": "volume",
                  "delete_on_termination": values["delete_volume"]}
        if kind != "volume" and values["volume_gb"]:
            device["volume_size"] = values["volume_gb"]
        server["block_device_mapping_v2"] = [device]
    hints = forms.pairs(values["hints"], "hints") | ({"group": values["server_group"]} if values["server_group"] else {})
    return {"server": server} | ({"os:scheduler_hints": hints} if hints else {})

"""Elements of XML."""

import xml.etree.ElementTree as ET


def element(parent, name: str, text: str | None = None, /, **attributes):
    """A child element; trailing underscores of attribute names are dropped (``type_``)."""
    attributes = {k.rstrip("_"): str(v) for k, v in attributes.items() if v is not None}
    made = ET.Element(name, attributes) if parent is None else ET.SubElement(parent, name, attributes)
    made.text = text
    return made


def text_of(made) -> str:
    return ET.tostring(made, encoding="unicode")

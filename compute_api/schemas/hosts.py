"""Bodies of requests: hosts."""


SWITCH = {"enum": [spelled(word) for word in ("enable", "disable") for spelled in (str.lower, str.capitalize, str.upper)]}
UPDATE = {"type": "object", "properties": {"status": SWITCH, "maintenance_mode": SWITCH}, "additionalProperties": False,
          "minProperties": 1}

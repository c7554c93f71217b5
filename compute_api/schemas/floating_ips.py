"""Bodies of requests: floating ips."""


CREATE = {"type": ["object", "null"], "properties": {"pool": {"type": ["string", "null"], "maxLength": 255}},
          "additionalProperties": False}

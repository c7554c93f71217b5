"""Comparisons in extra specs of flavors, such as ``>= 4``, ``s== kvm`` and ``<or> a <or> b``.

Source: the administrator's guide of OpenStack's compute service, "ComputeCapabilitiesFilter".
"""

import operator

_NUMBERS = {"=": operator.ge, "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le}
_TEXTS = {"s==": operator.eq, "s!=": operator.ne, "s<": operator.lt, "s<=": operator.le, "s>": operator.gt, "s>=": operator.ge}


def match(value: str, wanted: str) -> bool:
    """Whether a value matches an extra spec. Without an operator, they must be equal."""
    sign, *words = wanted.split() or [""]
    if sign == "<or>":
        return value in wanted.replace("<or>", " ").split()
    if sign == "<in>":
        return bool(words) and words[0] in value
    if sign == "<all-in>":
        return bool(words) and all(word in value for word in words)
    if sign in _TEXTS:
        return bool(words) and _TEXTS[sign](value, words[0])
    if sign in _NUMBERS:
        try:
            return bool(words) and _NUMBERS[sign](float(value), float(words[0]))
        except ValueError:
            return False
    return value == wanted

"""Add and remove fixed addresses of a server, as in the compute API until microversion 2.43."""

from compute_api.services import fixed_ips


def add(req, id, arguments):
    fixed_ips.add(req.call, id, arguments["networkId"])


def remove(req, id, arguments):
    fixed_ips.remove(req.call, id, arguments["address"])

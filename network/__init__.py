"""The network service: networks, subnets, ports, security groups, routers and floating IPs, and the agent that implements them.
"""

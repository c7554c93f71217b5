"""What the DHCP server is told."""

from network.agent.dhcp import stale_leases

LEASES = ("1795342152 fa:16:3e:e0:e3:bc 10.0.0.12 one 01:fa:16:3e:e0:e3:bc\n"
          "1795341988 fa:16:3e:f6:0e:17 10.0.0.4 gone 01:fa:16:3e:f6:0e:17\n")


def test_a_lease_of_a_deleted_guest_does_not_keep_its_address():
    """dnsmasq would refuse 10.0.0.4 to its new owner for a day."""
    hosts = "fa:16:3e:15:06:9d,set:port-x,closed.pileus.internal,10.0.0.4\nfa:16:3e:e0:e3:bc,one.x,10.0.0.12\n"
    assert stale_leases(LEASES, hosts) == {LEASES.splitlines()[1]}
    assert stale_leases(LEASES, "fa:16:3e:e0:e3:bc,one.x,10.0.0.12\n") == set()

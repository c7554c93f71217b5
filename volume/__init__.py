"""The volume service: block devices that persist independently of servers, exported by iSCSI."""

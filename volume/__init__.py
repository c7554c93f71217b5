"""Volume: block devices that outlive servers, and their export by iSCSI."""

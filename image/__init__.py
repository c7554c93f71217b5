"""Image: disks, kernels and ramdisks that servers start from."""

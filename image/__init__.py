"""The image service: disks, kernels and ramdisks that servers boot from."""

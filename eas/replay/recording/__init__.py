"""What the running gateway says to a device, taken down into files."""

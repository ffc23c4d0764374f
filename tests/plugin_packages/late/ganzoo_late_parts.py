"""What fails on first use."""

raise OSError("libwave.so.3 is missing")

"""What `sam local` alone can show; the rest of it is the end-to-end suite with `--target sam`."""

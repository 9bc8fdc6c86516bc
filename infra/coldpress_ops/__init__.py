"""The command line, the local server, benchmarks and planning."""

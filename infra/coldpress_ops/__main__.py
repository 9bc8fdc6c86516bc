"""`python -m coldpress_ops`: the same as the console script `coldpress`."""

from coldpress_ops.cli import main

main()

"""`python -m anagen` is the same as `anagen`."""

from anagen.cli.app import main

main()

"""`python -m tinyflash` is the command line."""

from tinyflash.cli import main

main()

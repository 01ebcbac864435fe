"""`python -m tinyflash` runs the command line."""

from tinyflash.cli import main

main()

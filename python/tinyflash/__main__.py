"""`python -m tinyflash` runs the command line."""

from tinyflash.cli import main

if __name__ == "__main__":
    main()

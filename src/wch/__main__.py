"""`python -m wch` is `wch`."""

from wch.entrypoints.cli import main

if __name__ == "__main__":
    main()

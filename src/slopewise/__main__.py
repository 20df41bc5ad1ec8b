"""`python -m slopewise`."""

from slopewise.cli.main import main

main()

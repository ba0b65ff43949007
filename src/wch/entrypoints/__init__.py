"""The doors: the command line and HTTP."""

"""The command line: one file per command; torch and the readers are imported only when a command runs."""

"""One module a verb: its flags, one call, what it prints.

Each has ``run(argv)``, which returns the exit code.
"""

PARTLY_DONE = 3  # exit code: some inputs failed, the rest are done

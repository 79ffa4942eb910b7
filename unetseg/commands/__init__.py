"""One module a verb: its flags, one call, what it prints.

Each has ``run(argv)``, which returns the exit code.
"""

PARTLY_DONE = 3  # exit code: some inputs failed, the rest are done

# Each verb is the module of that name; it is imported when it is typed.
VERBS = (
    "fit", "predict", "evaluate", "ablate", "compare", "probe", "lesion", "demo", "export", "runs", "data",
    "completion",
)  # fmt: skip

"""``python -m unetseg``: the command line, where its script is not on the path."""

from unetseg.cli import entry

if __name__ == "__main__":  # a process that training starts imports this file, too, and must not begin anew
    entry()

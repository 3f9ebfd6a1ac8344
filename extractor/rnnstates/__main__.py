"""``python -m rnnstates``: the command, where its name is not on the path."""

from rnnstates_cli.main import main

if __name__ == "__main__":
    main()

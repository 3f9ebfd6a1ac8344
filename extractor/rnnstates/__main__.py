"""``python -m rnnstates``: runs the command when ``rnnstates`` is not on the path."""

from rnnstates_cli.main import main

if __name__ == "__main__":
    main()

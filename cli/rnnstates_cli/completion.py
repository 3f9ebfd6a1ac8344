"""``rnnstates completion``: prints the script with which a shell completes commands, options and their values."""

import click
from click.shell_completion import ShellComplete, get_completion_class

from .grouped import GroupedCommand

__all__ = ["completion"]

SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=GroupedCommand,
    short_help="Print the script that makes bash, zsh or fish complete rnnstates.",
    examples=(
        'eval "$(rnnstates completion bash)"                          # in ~/.bashrc; likewise zsh in ~/.zshrc',
        "rnnstates completion fish > ~/.config/fish/completions/rnnstates.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> str:
    """Print the script that makes SHELL complete rnnstates.

    It completes commands, options, files, and the values of --states, --pool, --layer and options with fixed choices.
    """
    from .group import cli

    kind = get_completion_class(shell)
    assert kind is not None
    # Not ``kind.source``, which starts bash to ask for its version.
    script = ShellComplete.source(kind(cli, {}, "rnnstates", "_RNNSTATES_COMPLETE"))
    # A list with commas is one value; fish would stop at the first comma.
    return script.replace('string split ","', 'string split -m 1 ","')

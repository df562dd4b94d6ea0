"""The command ``completion``: what a shell needs to complete the words of ``validation-ch7``."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.outcome import print_json
from validation_ch7.console import Console

PROGRAM = "validation-ch7"
SHELLS = ("bash", "zsh", "fish", "powershell")
_EPILOG = (
    examples(("completion bash", "prints the script"), ("completion powershell", "the one for PowerShell"))
    + """
\b
Add one line to the start-up file of your shell:
  bash, in ~/.bashrc
      eval "$(validation-ch7 completion bash)"
  zsh, in ~/.zshrc
      eval "$(validation-ch7 completion zsh)"
  fish, in ~/.config/fish/config.fish
      validation-ch7 completion fish | source
  PowerShell, in $PROFILE
      validation-ch7 completion powershell | Out-String | Invoke-Expression
"""
)
_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $line = $commandAst.ToString().PadRight($cursorPosition).Substring(0, $cursorPosition)
    $env:COMP_WORDS = $line
    $env:COMP_INCOMPLETE = $wordToComplete
    $env:%(complete_var)s = "powershell_complete"
    try {
        %(prog_name)s | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new($value, $value, "ParameterValue", $help)
        }
    } finally {
        Remove-Item Env:COMP_WORDS, Env:COMP_INCOMPLETE, Env:%(complete_var)s
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Completion in PowerShell, which Click does not bring."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor and the one that is begun."""
        begun = os.environ.get("COMP_INCOMPLETE", "")
        parts = split_arg_string(os.environ["COMP_WORDS"])[1:]
        return (parts[:-1] if begun and parts and parts[-1] == begun else parts), begun

    def format_completion(self, item: CompletionItem) -> str:
        """Return one completion as a line."""
        return f"{item.value}\t{item.help}" if item.help else str(item.value)


add_completion_class(PowerShellComplete)


@click.command(
    epilog=_EPILOG,
    short_help="Print what a shell needs to complete words.",
    context_settings=SETTINGS,
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def completion(shell: str, as_json: bool) -> None:
    """Print the script by which a shell completes commands, flags and names of sessions."""
    kind: Any = get_completion_class(shell)
    from validation_ch7.cli.main import main

    variable = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
    made = kind(main, {}, PROGRAM, variable)
    # Not source(): for bash that asks the bash of the path for its version, which need not be the one in use.
    script = (made.source_template % made.source_vars()).rstrip()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        Console(sys.stdout).say(script)

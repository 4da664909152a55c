"""Write docs/cli.md from the command line itself; a test holds it equal.

usage: python docs/write_cli.py
"""

from pathlib import Path
from typing import Any

from twinpix.cli.app import EPILOG, command_line

TARGET = Path(__file__).with_name("cli.md")


def text() -> str:
    """Every command with its arguments, options and defaults, as Markdown."""
    parts = ["# The command line\n", "Written by `docs/write_cli.py` from the code.\n", EPILOG + "\n"]
    root = command_line()
    for name, command in _commands(root, "twinpix"):
        if hasattr(command, "fill_help"):
            command.fill_help()
        parts.append(f"## {name}\n")
        parts.append(" ".join((command.help or "").split()) + "\n")
        parts.append("| option | meaning | default |\n|---|---|---|")
        parts += [_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
        parts.append("")
    return "\n".join(parts)


def _commands(group: Any, prefix: str) -> list[tuple[str, Any]]:
    out = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            out += _commands(command, f"{prefix} {name}")
        else:
            out.append((f"{prefix} {name}", command))
    return out


def _row(parameter: Any) -> str:
    names = (
        [parameter.metavar] if parameter.param_type_name == "argument" else parameter.opts + parameter.secondary_opts
    )
    value = parameter.metavar or _choices(parameter)
    flag = getattr(parameter, "is_flag", False) or parameter.param_type_name == "argument"
    shown = ", ".join(f"`{name}`" for name in names) + ("" if flag or not value else f" `{value}`")
    default = parameter.default
    default = getattr(default, "value", default)
    told = (
        ""
        if default in (None, False, True) or callable(default) or not isinstance(default, str | int | float)
        else f"`{default}`"
    )
    return f"| {shown} | {parameter.help or ''} | {told} |".replace("FILE|-", "FILE\\|-")


def _choices(parameter: Any) -> str:
    return "/".join(getattr(parameter.type, "choices", ()))


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")

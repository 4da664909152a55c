"""Common to all commands: -q and -v, and refusal of repeated options."""

import logging
import sys
from typing import Any

from typer.core import TyperCommand, TyperOption

from twinpix.errors import UsageError
from twinpix.progress import terminal


class Command(TyperCommand):
    """A command that refuses an option given twice, because one value would be ignored silently."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [_flag("-q", "--quiet", "Print results and errors only.", _be_quiet), _verbose()]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.fill_help()
        super().format_help(ctx, formatter)

    def fill_help(self) -> None:
        """Complete the help texts that name plugins; only when help is shown, since it loads them."""
        from twinpix.cli.common import fill_help

        parameters: list[Any] = self.params
        for parameter in parameters:
            parameter.help = fill_help(parameter.help or "")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        parser: Any = self.make_parser(ctx)
        if args:
            _, _, order = parser.parse_args(args=list(args))
            _refuse_repeated(order)
        return super().parse_args(ctx, args)


def _refuse_repeated(order: list[Any]) -> None:
    seen = set()
    for parameter in order:
        if parameter.param_type_name != "option" or parameter.multiple or parameter.is_flag or parameter.count:
            continue
        if parameter.name in seen:
            raise UsageError(f"{parameter.opts[0]} is given twice: it takes one value")
        seen.add(parameter.name)


def _flag(short: str, long: str, help: str, callback: Any) -> TyperOption:
    return TyperOption(
        param_decls=[short, long], is_flag=True, default=False, expose_value=False, help=help, callback=callback
    )


def _verbose() -> TyperOption:
    return TyperOption(
        param_decls=["-v", "--verbose"],
        count=True,
        default=0,
        expose_value=False,
        help="Print what the run does; -vv: in detail.",
        callback=_be_verbose,
    )


def _be_quiet(ctx: Any, parameter: Any, value: bool) -> None:
    terminal.quiet = bool(value)


def _be_verbose(ctx: Any, parameter: Any, value: int) -> None:
    if not value:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("twinpix")
    logger.handlers = [each for each in logger.handlers if not isinstance(each, logging.StreamHandler)] + [handler]
    logger.setLevel(logging.INFO if value == 1 else logging.DEBUG)

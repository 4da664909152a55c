"""Plugins are found by their file's name; a frozen dataclass's fields are their options.

`"phash:size=16,flavour=imagehash"` becomes `PHash(size=16, flavour="imagehash")`. A plugin package holds
one public class per module; third parties add theirs through the entry point group `twinpix.<package>`.
"""

import dataclasses
import importlib
import pkgutil
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from twinpix.errors import UsageError

_KINDS = {
    "fingerprints": "method",
    "search": "search back end",
    "linking": "linking rule",
    "keep": "keep rule",
    "report": "report format",
    "actions": "action",
    "sources": "source",
}
_PACKAGES = {
    "search": "search.backends",
    "actions": "act.actions",
    "sources": "sources.kinds",
}  # where the plugins of a kind lie, if elsewhere
_INTERFACES = {
    "fingerprints": "fingerprints.base.Fingerprint",
    "search": "search.base.Backend",
    "linking": "linking.base.Linking",
    "keep": "keep.base.Rule",
    "report": "report.base.Writer",
    "actions": "act.actions.base.Action",
    "sources": "sources.base.Source",
}  # the class that says what a plugin of a kind has to have
_names: dict[type[Any], str] = {}  # of third parties' plugins
SPECIAL = "base"  # the module of a plugin package that holds its protocol, not a plugin


@cache
def names(package: str) -> tuple[str, ...]:
    """The plugins of a package (`"fingerprints"`), sorted: its own modules and third parties' entry points."""
    from importlib.metadata import entry_points

    return tuple(sorted(_own(package) | {point.name for point in entry_points(group=f"twinpix.{package}")}))


def own(package: str) -> list[str]:
    """The plugins that come with twinpix, sorted: for help texts, since third parties' take long to look up."""
    return sorted(_own(package))


@cache
def _own(package: str) -> frozenset[str]:
    # The files are listed and the package is not imported, which may take long: help texts ask for names only.
    parts = _PACKAGES.get(package, package).split(".")
    path = [str(Path(top, *parts)) for top in importlib.import_module("twinpix").__path__]
    return frozenset(m.name for m in pkgutil.iter_modules(path) if m.name != SPECIAL and m.name[0] != "_")


def _package(kind: str) -> str:
    return f"twinpix.{_PACKAGES.get(kind, kind)}"


def exists(package: str, name: str) -> bool:
    """True when a plugin is called that."""
    return name in _own(package) or name in names(package)


@cache
def load(package: str, name: str) -> type[Any]:
    """The plugin class called `name`.

    Raises `UsageError` that lists the names there are when there is none so called, and for a plugin that lacks a part
    of its interface.
    """
    if name in _own(package):  # asked first: looking through what is installed takes longer than a small run
        return _complete(package, _class_of(importlib.import_module(f"{_package(package)}.{name}")))
    from importlib.metadata import entry_points

    for point in entry_points(group=f"twinpix.{package}", name=name):
        cls = typing.cast(type[Any], point.load())
        _names[cls] = name
        return _complete(package, cls)
    raise UsageError(f"no {_KINDS.get(package, package)} is called {name!r}; there are: {', '.join(names(package))}")


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Split `"name:key=value,flag"` into a name and its options as text; a bare flag reads as `true`."""
    name, _, rest = text.strip().partition(":")
    options: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = item.partition("=")
        options[key.strip()] = value.strip() if equals else "true"
    return name.strip(), options


def make(package: str, text: str) -> Any:
    """Build the plugin that `text` describes.

    Raises `UsageError` for an unknown name or option, or for a value that does not fit its option.
    """
    name, given = parse(text)
    return build(package, name, given)


def build(package: str, name: str, given: Mapping[str, str]) -> Any:
    """Build the plugin of that name with options given as text; raises `UsageError` like `make`."""
    cls = load(package, name)
    fields = options(cls)
    for key in given:
        if key not in fields:
            have = f"has: {', '.join(fields)}" if fields else "has no options"
            raise UsageError(f"{name} has no option {key!r}; it {have}")
        if not given[key]:  # an empty variable of a shell, most likely
            raise UsageError(f"{name}:{key}= needs a value")
    for key, field in fields.items():
        if key not in given and field.default is field.default_factory is dataclasses.MISSING:
            raise UsageError(f"{name} needs its option {key!r}: {name}:{key}=VALUE")
    try:
        return cls(**{key: _convert(name, key, value, fields[key].type) for key, value in given.items()})
    except ValueError as error:
        text = ",".join(f"{key}={value}" for key, value in given.items())
        raise UsageError(f"{name}:{text}: {error}", reason=str(error)) from None


def options(cls: type[Any]) -> Mapping[str, dataclasses.Field[Any]]:
    """The options of a plugin class by name, with resolved types."""
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for name, field in fields.items():
        field.type = hints[name]
    return fields


def name_of(plugin: Any) -> str:
    """The name that a plugin instance is found under: its entry point's, or its module's."""
    return _names.get(type(plugin)) or type(plugin).__module__.rpartition(".")[2]


def describe(plugin: Any) -> str:
    """The text that `make` turns back into `plugin`; options at their default are left out.

    So are options that say where something is computed, not what (a field with `metadata={"where": True}`).
    """
    given = [
        f"{field.name}={_text(getattr(plugin, field.name))}"
        for field in options(type(plugin)).values()
        if getattr(plugin, field.name) != field.default and not field.metadata.get("where")
    ]
    return name_of(plugin) + (":" + ",".join(given) if given else "")


def replace_options(plugin: Any, **values: str) -> Any:
    """The same plugin with other options, given as text; raises `UsageError` like `make`."""
    fields = options(type(plugin))
    have = {key: getattr(plugin, key) for key in fields}
    try:
        return type(plugin)(
            **have | {key: _convert(name_of(plugin), key, text, fields[key].type) for key, text in values.items()}
        )
    except ValueError as error:
        raise UsageError(f"{name_of(plugin)}: {error}") from None


def _class_of(module: ModuleType) -> type[Any]:
    """The one dataclass that a plugin module defines."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and dataclasses.is_dataclass(value)
    ]
    if len(found) != 1:
        raise UsageError(f"{module.__name__} defines {len(found)} dataclasses; a plugin module defines one")
    return found[0]


def _complete(package: str, cls: type[Any]) -> type[Any]:
    """Return the class; raises `UsageError` that names what it lacks of the interface of its kind."""
    module, _, declared = f"twinpix.{_INTERFACES[package]}".rpartition(".")
    interface = getattr(importlib.import_module(module), declared)
    subject = f"the {_KINDS[package]} {cls.__module__}.{cls.__qualname__}"
    have = {*dir(cls), *getattr(cls, "__dataclass_fields__", ())} - getattr(cls, "__abstractmethods__", frozenset())
    if missing := sorted(_members(interface) - have):
        raise UsageError(f"{subject} lacks {', '.join(missing)}: see {module}.{declared}")
    suffixes = getattr(cls, "suffixes", ())
    if isinstance(suffixes, str) or not all(suffix[:1] == "." and suffix == suffix.lower() for suffix in suffixes):
        raise UsageError(f"{subject} needs a tuple or set of lower-case suffixes with their dots, not {suffixes!r}")
    return cls


@cache
def _members(interface: type[Any]) -> frozenset[str]:
    """The public attributes and methods that a class declares or defines."""
    classes = [each for each in interface.__mro__ if each.__module__.startswith("twinpix")]
    names = {name for each in classes for name in (*vars(each), *vars(each).get("__annotations__", ()))}
    return frozenset(name for name in names if name[0] != "_")


def _convert(name: str, key: str, value: str, kind: Any) -> Any:
    """Turn an option's text into its type, or say what would fit."""
    if typing.get_origin(kind) is typing.Literal:
        allowed = typing.get_args(kind)
        if value not in allowed:
            raise UsageError(f"{name}:{key}={value}: choose one of {', '.join(map(str, allowed))}")
        return value
    if kind is bool:
        if value.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise UsageError(f"{name}:{key}={value}: give true or false")
        return value.lower() in ("true", "yes", "1")
    try:
        return kind(value)
    except ValueError:
        raise UsageError(f"{name}:{key}={value}: give {_article(kind.__name__)}") from None


def _article(type_name: str) -> str:
    return {"int": "a whole number", "float": "a number", "str": "text"}.get(type_name, type_name)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

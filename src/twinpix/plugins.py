"""Find plugins by the names of their modules; the fields of a plugin, a frozen dataclass, are its options.

`"phash:size=16,flavour=imagehash"` becomes `PHash(size=16, flavour="imagehash")`. A plugin package
contains one public class per module; other packages add plugins through the entry point group `twinpix.<package>`.
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
    "search": ("search.backends",),
    "keep": ("keep.pixels", "keep.files"),
    "actions": ("act.actions",),
    "sources": ("sources.kinds",),
}  # where the plugins of a kind are, if not in the package with the name of the kind
_INTERFACES = {
    "fingerprints": "fingerprints.base.Fingerprint",
    "search": "search.base.Backend",
    "linking": "linking.base.Linking",
    "keep": "keep.base.Rule",
    "report": "report.base.Writer",
    "actions": "act.actions.base.Action",
    "sources": "sources.base.Source",
}  # the class that declares the interface of a kind of plugin
_names: dict[type[Any], str] = {}  # entry point names of plugins of other packages
SPECIAL = "base"  # the module of a plugin package that holds its protocol, not a plugin


@cache
def names(package: str) -> tuple[str, ...]:
    """Return the sorted names of a kind of plugin (`"fingerprints"`): modules of twinpix and entry points."""
    from importlib.metadata import entry_points

    return tuple(sorted({*_own(package)} | {point.name for point in entry_points(group=f"twinpix.{package}")}))


def own(package: str) -> list[str]:
    """Return the sorted names of twinpix's own plugins, for help texts: listing entry points is slow."""
    return sorted(_own(package))


@cache
def _own(kind: str) -> Mapping[str, str]:
    """Return the modules of twinpix's own plugins of a kind by their names."""
    # List the files instead of importing the package, which is slow: help texts need only names.
    modules: dict[str, str] = {}
    for package in _PACKAGES.get(kind, (kind,)):
        path = [str(Path(top, *package.split("."))) for top in importlib.import_module("twinpix").__path__]
        plugins = (m.name for m in pkgutil.iter_modules(path) if m.name != SPECIAL and m.name[0] != "_")
        modules |= {name: f"twinpix.{package}.{name}" for name in plugins}
    return modules


def exists(package: str, name: str) -> bool:
    """True if a plugin has this name."""
    return name in _own(package) or name in names(package)


@cache
def load(package: str, name: str) -> type[Any]:
    """Return the plugin class with this name.

    Raises `UsageError`, which lists the known names, for an unknown name, and for a plugin that lacks a part of its
    interface.
    """
    if name in _own(package):  # first: listing the installed packages takes longer than a small run
        return _complete(package, _class_of(importlib.import_module(_own(package)[name])))
    from importlib.metadata import entry_points

    for point in entry_points(group=f"twinpix.{package}", name=name):
        cls = typing.cast(type[Any], point.load())
        _names[cls] = name
        return _complete(package, cls)
    raise UsageError(f"no {_KINDS.get(package, package)} is called {name!r}; there are: {', '.join(names(package))}")


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Split `"name:key=value,flag"` into a name and its options as text; a flag without value is `true`."""
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
        if not given[key]:  # probably an empty shell variable
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
    """Return the options of a plugin class by name, with resolved types."""
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for name, field in fields.items():
        field.type = hints[name]
    return fields


def name_of(plugin: Any) -> str:
    """Return the name of a plugin: that of its entry point, or of its module."""
    return _names.get(type(plugin)) or type(plugin).__module__.rpartition(".")[2]


def describe(plugin: Any) -> str:
    """Return the text that `make` converts back to `plugin`; options with their default value are omitted.

    Options that choose a device, not a result (fields with `metadata={"where": True}`), are omitted too.
    """
    given = [
        f"{field.name}={_text(getattr(plugin, field.name))}"
        for field in options(type(plugin)).values()
        if getattr(plugin, field.name) != field.default and not field.metadata.get("where")
    ]
    return name_of(plugin) + (":" + ",".join(given) if given else "")


def replace_options(plugin: Any, **values: str) -> Any:
    """Return a copy of a plugin with other options, given as text; raises `UsageError` like `make`."""
    fields = options(type(plugin))
    have = {key: getattr(plugin, key) for key in fields}
    try:
        return type(plugin)(
            **have | {key: _convert(name_of(plugin), key, text, fields[key].type) for key, text in values.items()}
        )
    except ValueError as error:
        raise UsageError(f"{name_of(plugin)}: {error}") from None


def _class_of(module: ModuleType) -> type[Any]:
    """Return the only dataclass that a plugin module defines."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and dataclasses.is_dataclass(value)
    ]
    if len(found) != 1:
        raise UsageError(f"{module.__name__} defines {len(found)} dataclasses; a plugin module defines one")
    return found[0]


def _complete(package: str, cls: type[Any]) -> type[Any]:
    """Return the class; raises `UsageError`, which names the missing members, if the interface is incomplete."""
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
    """Return the public attributes and methods that a class declares or defines."""
    classes = [each for each in interface.__mro__ if each.__module__.startswith("twinpix")]
    names = {name for each in classes for name in (*vars(each), *vars(each).get("__annotations__", ()))}
    return frozenset(name for name in names if name[0] != "_")


def _convert(name: str, key: str, value: str, kind: Any) -> Any:
    """Convert an option's text to its type; raises `UsageError`, which says what is accepted."""
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


def summary_of(cls: type[Any]) -> str:
    """Return the first paragraph of the docstring of a plugin's module, which says what the plugin does."""
    return " ".join((importlib.import_module(cls.__module__).__doc__ or "").split("\n\n")[0].split())

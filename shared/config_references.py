"""`${NAME}` in a configuration file → what the environment says.

In: a text of the file, the environment. Out: the text with every reference replaced, or the names that are
not set. A variable that is set to nothing counts as not set: no key and no address is empty.
"""

import re
from collections.abc import Mapping
from typing import Final

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def unset(text: str, environment: Mapping[str, str]) -> list[str]:
    """The names in this text that the environment does not have, in their order."""
    return [name for name in _REFERENCE.findall(text) if not environment.get(name)]


def filled(text: str, environment: Mapping[str, str]) -> str | None:
    """The text with every reference replaced; None if one of them is not set."""
    if unset(text, environment):
        return None
    return _REFERENCE.sub(lambda found: environment[found[1]], text)

"""What a webhook provider is, and which there are: one module in `providers/` each, found by itself.

In: the names of packages. Out: `Provider` by name. To add one is to add a module with a `PROVIDER` of its own
to services/ingest/sources/providers/, or to a package that LEADSCORE_INGEST_PROVIDERS names; nothing else
knows it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, SecretStr

from services.ingest.draft import Draft
from shared.plugins import Plugins

SHIPPED: Final = "services.ingest.sources.providers"

Headers = Mapping[bytes, bytes]


class ProviderSettings(BaseModel):
    """What stands under `hook:` of a source; a provider adds `provider: Literal[…]` and all it needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What a provider may ask about the settings of one source.

    resolve:  the value meant by a setting, `${NAME}` looked up; None if it is missing, which is told already
    note:     tells a mistake: path below `hook`, message
    """

    resolve: Callable[[SecretStr], str | None]
    note: Callable[[tuple[str | int, ...], str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A sender of webhooks.

    name:      in sources.yaml, and in the address /v1/hooks/<name>/<source>
    settings:  what stands under `hook:` of its sources
    prepare:   those settings → what `verify` needs, with mistakes noted
    verify:    returns if this body is the provider's: body as it came, headers, what `prepare` gave, now;
               raises Invalid `invalid_signature` or `stale_signature`
    split:     the events of a body, raw; raises Invalid `invalid_json`
    draft:     one event, its parts found: the item, its bytes; raises Invalid
    probe:     what a GET is answered, for providers that look before they take an address
    headers:   names of the headers that `verify` needs, for the description of the API
    example:   a body that `split` takes, for the same
    """

    name: str
    settings: type[ProviderSettings]
    prepare: Callable[[Any, Secrets], Any]
    verify: Callable[[bytes, Headers, Any, datetime], None]
    split: Callable[[bytes], list[bytes]]
    draft: Callable[[Mapping[str, Any], bytes], Draft]
    probe: Mapping[str, Any] = field(default_factory=lambda: {"success": True})
    headers: tuple[str, ...] = ()
    example: Sequence[Mapping[str, Any]] = ()


Providers = Mapping[str, Provider]
"""Name → provider"""


_PLUGINS: Final = Plugins(
    type=Provider, attribute="PROVIDER", noun="a webhook provider", setting="LEADSCORE_INGEST_PROVIDERS"
)


def providers(packages: Sequence[str] = ()) -> Providers:
    """Those that come with Leadscore, and those of these packages.

    Raises Misconfigured if a package is not there, a module has no `PROVIDER`, or two have one name.
    """
    return _PLUGINS.find([SHIPPED, *packages])

"""The sources that may send, as ingest asks about them: by key, by form, by webhook, by origin.

In: what source_file.py has checked. Out: frozen `Source`, `Form`, `Hook`, and a `Registry` to find them.
Refuses to hold a key: only its SHA-256.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from shared.errors import Invalid
from shared.events import Kind

Access = Literal["public", "secret"]

ANY_ORIGIN: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Which web pages may send: a compiled allow-list.

    pattern: matches a whole `Origin` header; None allows every page
    """

    pattern: re.Pattern[str] | None

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """Compile entries such as `https://www.example.com`, `https://*.example.com`, `http://localhost:*`."""
        entries = list(entries)
        if ANY_ORIGIN in entries:
            return cls(pattern=None)
        return cls(pattern=re.compile("|".join(map(_origin_pattern, entries)) or r"(?!)", re.IGNORECASE))

    def allow(self, origin: str) -> bool:
        """Whether a page with this `Origin` header may send."""
        return self.pattern is None or self.pattern.fullmatch(origin) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form on a website.

    thanks:     where a browser goes after the submit; empty: our own page
    redirects:  where a form's hidden field may send a browser instead: origins, or whole addresses
    honeypot:   a field that people do not see; whoever fills it is a machine
    traits:     fields that describe the person; all others describe this submit
    server:     a server may send it, so that a program's user agent is no mark of a machine
    objection:  a checkbox by which a person objects to being scored; empty: there is none
    """

    id: str
    thanks: str
    redirects: frozenset[str]
    honeypot: str
    traits: frozenset[str]
    server: bool = False
    objection: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A provider's webhook.

    trust:  what the provider's module verifies requests by (services/ingest/sources/provider.py)
    """

    provider: str
    trust: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Something that sends us events.

    access:        public: its key is in web pages, so the client's address and browser are the person's;
                   secret: a server's, which tells us the person's address itself
    kind:          what its events are, unless they say otherwise
    namespace:     whose user ids it sends; sources of one namespace mean the same person by the same id
    events_per_s:  more than this for longer than a burst is answered with 429; None: no limit
    """

    id: str
    access: Access
    kind: Kind
    namespace: str
    origins: Origins
    events_per_s: float | None = None
    forms: tuple[Form, ...] = ()
    hook: Hook | None = None


class Registry:
    """All sources, found by what a request shows.

    keys:  SHA-256 of a write key → its source
    """

    def __init__(self, sources: Iterable[Source], keys: Mapping[bytes, Source]) -> None:
        self.sources = {source.id: source for source in sources}
        self._keys = dict(keys)
        self._forms = {form.id: (source, form) for source in self.sources.values() for form in source.forms}

    def by_key(self, key: str) -> Source | None:
        """The source with this write key.

        Looked up by digest: how long that takes tells nothing about a key, since nobody can choose a digest.
        """
        return self._keys.get(digest(key))

    def form(self, name: str) -> tuple[Source, Form]:
        """A form and the source it belongs to. Raises Invalid `unknown_form`."""
        if name not in self._forms:
            raise Invalid("unknown_form", "no form with this name. Add it to sources.yaml")
        return self._forms[name]

    def hook(self, provider: str, source: str) -> tuple[Source, Any]:
        """A source, and what its webhook is trusted by. Raises Invalid `unknown_hook`."""
        found = self.sources.get(source)
        if found is None or found.hook is None or found.hook.provider != provider:
            raise Invalid("unknown_hook", f"no {provider} webhook of this name. Add it to sources.yaml")
        return found, found.hook.trust

    def any_allows(self, origin: str) -> bool:
        """Whether some source takes events from this page: a preflight does not say which source it means."""
        return any(source.origins.allow(origin) for source in self.sources.values())


def digest(key: str) -> bytes:
    """What is kept of a write key."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


def _origin_pattern(entry: str) -> str:
    escaped = re.escape(entry.rstrip("/"))
    return escaped.replace(r"://\*\.", r"://[a-z0-9.-]+\.").replace(r":\*", r":[0-9]{1,5}")

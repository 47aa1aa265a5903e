"""sources.yaml → `Registry`: who may send, how they prove it, what they may do.

In: the file's text and the environment. Out: a `Registry`.
Refuses (`Misconfigured`, all mistakes at once, with lines) what does not fit the schema, a `${NAME}` that the
environment does not have, ids and keys used twice, secrets written into the file, and a CRM or e-mail source
whose user ids would be taken for the product's.

Secrets come from the environment: a value `${NAME}` is replaced by that variable. A write key may also stand
there as `sha256:<64 hex digits>`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.ingest.registry import Form, Hook, Origins, Registry, Source, digest
from services.ingest.source_shape import FormSection, SourcesFile, file_shape
from services.ingest.sources.provider import Providers, Secrets, providers
from shared.config_file import Document, parse, validate
from shared.config_mistakes import Path
from shared.config_references import filled, unset
from shared.errors import Misconfigured
from shared.events import OWN_KINDS, OWN_NAMESPACE, default_namespace

MIN_KEY_CHARS: Final = 16

_HASHED: Final = re.compile(r"sha256:([0-9a-fA-F]{64})")


def read(text: str, *, file: str, environment: Mapping[str, str], known: Providers | None = None) -> Registry:
    """The registry that this file describes.

        text:         the content of sources.yaml
        file:         its name, for messages
        environment:  where `${NAME}` is looked up
        known:        whose webhooks may be named; without it those that come with Leadscore

    Raises Misconfigured with every mistake and its line.
    """
    known = providers() if known is None else known
    document = parse(text, file=file)
    problems = list(_missing_references(document, environment))
    try:
        checked = validate(document, file_shape(known))
    except Misconfigured as error:
        raise Misconfigured(error.what, [*error.problems, *problems]) from error
    builder = _Builder(document, environment, known)
    registry = builder.registry(checked)
    problems += builder.problems
    if problems:
        raise Misconfigured(f"{file} has {len(problems)} mistake{'s' * (len(problems) > 1)}:", problems)
    return registry


class _Builder:
    """Checked sections → registry, noting what a schema cannot see."""

    def __init__(self, document: Document, environment: Mapping[str, str], known: Providers) -> None:
        self.problems: list[str] = []
        self._document = document
        self._environment = environment
        self._providers = known
        self._keys: dict[bytes, Source] = {}

    def registry(self, file: SourcesFile) -> Registry:
        sources = [self._source(section, ("sources", at)) for at, section in enumerate(file.sources)]
        self._once("source", [source.id for source in sources])
        self._once("form", [form.id for source in sources for form in source.forms])
        return Registry(sources, self._keys)

    def _source(self, section: Any, path: Path) -> Source:
        if section.access == "public" and (section.keys or section.forms) and not section.origins:
            self._note(
                path, f'source "{section.id}": public without origins. List your pages, or "*" for all'
            )
        source = Source(
            id=section.id,
            access=section.access,
            kind=section.kind,
            namespace=self._namespace(section, path),
            origins=Origins.of(section.origins),
            events_per_s=section.limits.events_per_s,
            forms=tuple(_form(form) for form in section.forms),
            hook=self._hook(section.hook, (*path, "hook")) if section.hook else None,
        )
        for at, key in enumerate(section.keys):
            self._add_key(key.get_secret_value(), source, (*path, "keys", at))
        return source

    def _namespace(self, section: Any, path: Path) -> str:
        """Whose user ids the source sends; a default that would be the product's by accident is noted."""
        if section.namespace:
            return str(section.namespace)
        if section.id == OWN_NAMESPACE and section.kind not in OWN_KINDS:
            self._note(
                (*path, "id"),
                f'source "{section.id}": user ids of a {section.kind} source would pass for the product\'s. '
                f"Write `namespace: {section.kind}`, or `namespace: {OWN_NAMESPACE}` if they are its ids",
            )
        return default_namespace(section.kind, section.id)

    def _add_key(self, written: str, source: Source, path: Path) -> None:
        """Keep one key's digest; says what is wrong with it, never the key."""
        hashed = _HASHED.fullmatch(written)
        key = self._resolve(written)
        if key is None:
            return
        if key == written and not hashed and source.access == "secret":
            self._note(path, "a secret key is written into the file. Write ${NAME} or sha256:<64 hex digits>")
        elif not hashed and len(key) < MIN_KEY_CHARS:
            self._note(path, f"a key of {len(key)} characters. Use at least {MIN_KEY_CHARS} random ones")
        else:
            kept = bytes.fromhex(hashed[1]) if hashed else digest(key)
            if kept in self._keys:
                other = self._keys[kept].id
                self._note(path, f'this key already belongs to source "{other}". Give each source its own')
            self._keys[kept] = source

    def _hook(self, section: Any, path: Path) -> Hook:
        provider = self._providers[section.provider]
        secrets = Secrets(
            resolve=lambda written: self._resolve(written.get_secret_value()),
            note=lambda below, message: self._note((*path, *below), message),
        )
        return Hook(provider=provider.name, trust=provider.prepare(section, secrets))

    def _resolve(self, written: str) -> str | None:
        """The value meant, None for a missing variable (which is already on the list)."""
        return filled(written, self._environment)

    def _once(self, what: str, ids: list[str]) -> None:
        for name, times in Counter(ids).items():
            if times > 1:
                self._note(("sources",), f'{what} "{name}" is here {times} times. Each id only once')

    def _note(self, path: Path, message: str) -> None:
        self.problems.append(self._document.problem(path, message))


def _form(section: FormSection) -> Form:
    return Form(
        id=section.id,
        thanks=section.thanks or "",
        redirects=frozenset(url.rstrip("/") for url in section.redirects),
        honeypot=section.honeypot,
        traits=frozenset(section.traits),
        server=section.server,
        objection=section.objection or "",
    )


def _missing_references(document: Document, environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each `${NAME}` in the file that the environment does not have."""
    for path, text in _texts(document.data, ()):
        for name in unset(text, environment):
            yield document.problem(path, f"${{{name}}} is not set. Set it in the environment")


def _texts(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text of a document with its path."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, (*path, key))
    elif isinstance(data, list):
        for at, value in enumerate(data):
            yield from _texts(value, (*path, at))

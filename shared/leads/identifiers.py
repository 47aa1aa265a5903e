"""Identifiers of people: one normal form for every spelling, and the keyed hash that is stored instead.

In: an identifier as it was sent, the installation's rules. Out: `Identifier`, or None for a placeholder.
Refuses to keep what it was given: an address cannot be read in a hash, nor tried without the key.

| identifier   | what makes no difference                                                             |
|--------------|--------------------------------------------------------------------------------------|
| e-mail       | case, blanks, Unicode form, `xn--…`; on request `+tags` and the dots of Gmail          |
| user id      | blanks, Unicode form; in one that is an e-mail address what makes none in an address  |
| anonymous id | blanks, Unicode form                                                                 |
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from unicodedata import normalize

import idna

from shared.events import OWN_NAMESPACE
from shared.leads.placeholders import is_placeholder

IdentifierKind = Literal["user_id", "email", "anonymous_id"]

_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})


class Identifier(NamedTuple):
    """One identifier, hashed: identities outlive what may be read in them.

    namespace: of a user id; empty for the other kinds
    """

    kind: IdentifierKind
    value: bytes
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """How this installation tells identifiers apart.

    key:           secret of at least 16 bytes; without it nobody can test what is among the hashes
    later:         keys that replaced it, oldest first: each hashes what the one before made (`wrapped`)
    plus_tags:     `ada+news@firma.example` is `ada@firma.example`
    gmail_dots:    `a.d.a@gmail.com` is `ada@gmail.com`, and `googlemail.com` is `gmail.com`
    placeholders:  in lower case: what senders here write for nobody, beside the built-in list
    """

    key: bytes
    later: tuple[bytes, ...] = ()
    plus_tags: bool = False
    gmail_dots: bool = False
    placeholders: frozenset[str] = frozenset()

    def address(self, text: str) -> Identifier | None:
        """The identifier that is this e-mail address; None for a placeholder."""
        return self._identifier("email", self.normal_address(text))

    def user_id(self, text: str, namespace: str = OWN_NAMESPACE) -> Identifier | None:
        """The identifier that is this user id; None for a placeholder."""
        normal = self.normal_address(text) if is_address(text) else normal_id(text)
        return self._identifier("user_id", normal, namespace)

    def anonymous_id(self, text: str) -> Identifier | None:
        """The identifier that is this anonymous id; None for a placeholder."""
        return self._identifier("anonymous_id", normal_id(text))

    def hashed(self, kind: IdentifierKind, normal: str, namespace: str = "") -> bytes:
        """What stands for this identifier here."""
        return wrapped(hash_identifier(kind, normal, self.key, namespace), self.later)

    @property
    def fingerprint(self) -> bytes:
        """By which two installations of the same keys know each other; tells nothing about the keys."""
        return wrapped(
            hashlib.blake2b(digest_size=16, key=self.key[:64], person=b"fingerprint").digest(), self.later
        )

    def normal_address(self, text: str) -> str:
        """The one spelling of this address here."""
        normal = normal_address(text)
        if not (self.plus_tags or self.gmail_dots):
            return normal
        mailbox, _, domain = normal.rpartition("@")
        if self.plus_tags:
            mailbox = mailbox.partition("+")[0] or mailbox
        if self.gmail_dots and domain in _GMAIL:
            mailbox, domain = mailbox.replace(".", ""), "gmail.com"
        return f"{mailbox}@{domain}"

    def _identifier(self, kind: IdentifierKind, normal: str, namespace: str = "") -> Identifier | None:
        return _identifier(kind, normal, namespace, (self.key, *self.later), self.placeholders)


@lru_cache(maxsize=16_384)  # a person's events come in a row
def _identifier(
    kind: IdentifierKind, normal: str, namespace: str, keys: tuple[bytes, ...], placeholders: frozenset[str]
) -> Identifier | None:
    if is_placeholder(normal) or normal.lower() in placeholders:
        return None
    key, *later = keys
    return Identifier(kind, wrapped(hash_identifier(kind, normal, key, namespace), later), namespace)


def hash_identifier(kind: IdentifierKind, normal: str, key: bytes, namespace: str = "") -> bytes:
    """16 bytes that stand for this identifier, the same for ever under the same key.

    namespace: of a user id. The own namespace is not hashed, so that hashes of before namespaces stay right
    """
    text = normal if namespace in {"", OWN_NAMESPACE} else f"{namespace}\x00{normal}"
    return hashlib.blake2b(
        text.encode("utf-8", "surrogatepass"), digest_size=16, key=key[:64], person=kind.encode()
    ).digest()


def wrapped(value: bytes, later: Iterable[bytes]) -> bytes:
    """A hash under the keys that came later, oldest first.

    A hash of a hash: what is stored can be brought under a new key without knowing what it stands for, and
    whoever has an older key alone cannot test it.
    """
    for key in later:
        value = hashlib.blake2b(value, digest_size=16, key=key[:64], person=b"wrapped").digest()
    return value


def is_address(text: str) -> bool:
    """Whether an id is written like an e-mail address."""
    return "@" in text and _ADDRESS.fullmatch(text.strip()) is not None


def normal_id(text: str) -> str:
    """The one spelling of an id that is no address: its case is its own."""
    return text.strip() if text.isascii() else normalize("NFC", text).strip()


@lru_cache(maxsize=4096)
def normal_address(text: str) -> str:
    """The one spelling of an e-mail address: lower case, NFC, the domain in Unicode."""
    text = text.strip().lower()
    if text.isascii() and "xn--" not in text:
        return text
    mailbox, _, domain = text.rpartition("@")
    return f"{normalize('NFC', normalize('NFC', mailbox).lower())}@{_unicode_domain(domain)}"


def _unicode_domain(domain: str) -> str:
    """Decoded as IDNA 2008 says; what IDNA refuses is compared as it is written."""
    try:
        return idna.decode(domain, uts46=True).lower()
    except idna.IDNAError:
        return normalize("NFC", domain)

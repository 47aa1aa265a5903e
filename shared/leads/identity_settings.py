"""How identifiers are told apart here, from the environment: for the scorer and whoever looks leads up.

In: environment variables. Out: `IdentityRules`, and what to say where others are in use. All processes of an
installation must be given the same.
"""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from shared.errors import Misconfigured
from shared.leads.identifiers import IdentityRules


class IdentitySettings(BaseSettings):
    """What makes two identifiers the same. Mixed into the settings of whoever looks leads up."""

    identity_key: SecretStr = Field(
        min_length=16,
        validation_alias="LEADSCORE_IDENTITY_KEY",
        description="Secret that keys the hashes of identifiers. To change it: docs/guides/keys.md.",
    )
    identity_keys_before: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="LEADSCORE_IDENTITY_KEYS_BEFORE",
        description="Identity keys that others replaced, newest first, by comma; all stay needed.",
    )
    identity_plus_tags: bool = Field(
        default=False,
        validation_alias="LEADSCORE_IDENTITY_PLUS_TAGS",
        description="Take ada+news@firma.example for ada@firma.example, in what arrives from then on.",
    )
    identity_gmail_dots: bool = Field(
        default=False,
        validation_alias="LEADSCORE_IDENTITY_GMAIL_DOTS",
        description="Take a.d.a@gmail.com for ada@gmail.com, and googlemail.com for gmail.com.",
    )
    identity_placeholders: str = Field(
        default="",
        validation_alias="LEADSCORE_IDENTITY_PLACEHOLDERS",
        description="By comma: what senders here write for nobody, beside the built-in list.",
    )

    def rules(self) -> IdentityRules:
        """The rules that these settings say."""
        own = (one.strip().lower() for one in self.identity_placeholders.split(","))
        before = (one.strip() for one in self.identity_keys_before.get_secret_value().split(","))
        newest_first = [self.identity_key.get_secret_value(), *(one for one in before if one)]
        key, *later = (one.encode() for one in reversed(newest_first))
        return IdentityRules(
            key=key,
            later=tuple(later),
            plus_tags=self.identity_plus_tags,
            gmail_dots=self.identity_gmail_dots,
            placeholders=frozenset(one for one in own if one),
        )


def other_keys() -> Misconfigured:
    """What to say to a process that has other keys than those in use."""
    return Misconfigured(
        "The identity keys are not those with which this database was written.",
        [
            "Under them everybody would be a stranger. LEADSCORE_IDENTITY_KEY has to be the newest key,",
            "LEADSCORE_IDENTITY_KEYS_BEFORE those before it, newest first (docs/guides/keys.md).",
            "A database from before a key was changed (a restored dump): `leadscore keys rotate-identity`.",
        ],
    )

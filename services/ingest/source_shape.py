"""The shape of sources.yaml: sections, keys, what each may be.

In: plain data. Out: pydantic objects; deploy/schemas/sources.v1.json is made from them, for editors, by
`make contracts`. Refuses keys that it does not know, and values that do not fit; what
sections mean together, source_file.py decides.
"""

import json
from typing import Annotated, Any, Final, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model

from services.ingest.registry import Access
from services.ingest.sources.provider import Providers, ProviderSettings, providers
from shared.events import OWN_NAMESPACE, Kind

COMMON_TRAITS: Final = (
    *(
        "email",
        "name",
        "first_name",
        "last_name",
        "title",
        "job_title",
        "phone",
        "website",
        "country",
        "city",
    ),
    *("company", "company_size", "employees", "industry", "department", "role"),
)


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s]*$", max_length=2000)]
Origin = Annotated[str, Field(pattern=r"^(\*|null|https?://(\*\.)?[A-Za-z0-9.\[\]-]+(:(\d{1,5}|\*))?/?)$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FormSection(_Section):
    """One form."""

    id: Name = Field(description="The form's name: POST /v1/forms/<id>, and `properties.form` of its events.")
    thanks: Url | None = Field(
        default=None, description="Where a browser goes after the submit. Without it: our own page."
    )
    redirects: list[Url] = Field(
        default=[],
        description="Where the form's hidden field `_redirect` may lead: an origin allows all its pages.",
    )
    honeypot: str = Field(
        default="website_url", min_length=1, description="A field people do not see; machines fill it."
    )
    traits: list[str] = Field(
        default=list(COMMON_TRAITS), description="Fields about the person; all others are about this submit."
    )
    server: bool = Field(
        default=False,
        description="A server of yours may send it: a submit by curl, python-requests and such is counted.",
    )
    objection: str | None = Field(
        default=None,
        min_length=1,
        description="A checkbox by which a person objects to being scored: its submit is person.objected.",
    )


class LimitSection(_Section):
    """What a source may do."""

    events_per_s: float | None = Field(
        default=None, gt=0, description="Above this, after a burst of ten seconds' worth: 429."
    )


class SourceSection(_Section):
    """One sender."""

    id: Name = Field(description="The sender's name in events, metrics and topics. Never change it.")
    access: Access = Field(description="public: the key is in web pages. secret: only your servers know it.")
    kind: Kind = Field(description="What the events are, unless they say otherwise.")
    namespace: Name | None = Field(
        default=None,
        description="Whose user ids these are: sources of one namespace mean the same person by the same id. "
        f'Without it "{OWN_NAMESPACE}" for web, product and form; the source\'s own id for crm and email.',
    )
    keys: list[SecretStr] = Field(
        default=[],
        description="Write keys: ${NAME} from the environment, or sha256:<hex>. Several to rotate.",
    )
    origins: list[Origin] = Field(
        default=[],
        description='Web pages that may send: "https://www.example.com", "https://*.example.com", "*".',
    )
    limits: LimitSection = LimitSection()
    forms: list[FormSection] = []
    hook: ProviderSettings | None = None


class SourcesFile(_Section):
    """sources.yaml: who may send events, and how they prove it."""

    version: Literal[1] = Field(description="The version of this file's format.")
    sources: list[SourceSection] = Field(min_length=1)


def file_shape(known: Providers) -> type[SourcesFile]:
    """The shape of the file where these providers may be named under `hook:`."""
    sections = tuple(provider.settings for provider in known.values())
    hook: Any = Union[sections]  # noqa: UP007 - of a tuple
    if len(sections) > 1:
        hook = Annotated[hook, Field(discriminator="provider")]
    source: Any = create_model("SourceSection", __base__=SourceSection, hook=(hook | None, None))
    source.__doc__ = SourceSection.__doc__
    file = create_model("SourcesFile", __base__=SourcesFile, sources=(list[source], Field(min_length=1)))
    file.__doc__ = SourcesFile.__doc__
    return file


def schema() -> str:
    """The JSON Schema of sources.yaml, as deploy/schemas/sources.v1.json holds it for editors."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **file_shape(providers()).model_json_schema(),
    }
    return json.dumps(described, indent=2) + "\n"

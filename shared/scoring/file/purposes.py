"""The section `consent` of a model file → purposes; which of them each rule needs, and mistakes about that.

In: the checked shape. Out: `Purpose`s by name; mistakes, each with its path. Refuses nothing by itself.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from shared.config_mistakes import Path, listing, short
from shared.scoring.definition.purposes import NO_PURPOSE, Purpose
from shared.scoring.file.shape import ModelShape

Purposes = Mapping[str, Purpose]

_NONE_DECLARED: Final = "there are none. Declare it under consent: purposes"


def build_purposes(shape: ModelShape) -> Purposes:
    """Every purpose that the file declares, by name."""
    declared = shape.consent.purposes if shape.consent else {}
    return {
        name: Purpose(
            id=name,
            label={"en": each.label.en, "de": each.label.de},
            withdrawal=each.withdrawal,
            unknown=each.unknown,
        )
        for name, each in declared.items()
    }


def purpose_of(named: str | None, shape: ModelShape, purposes: Purposes) -> Purpose | None:
    """What a rule needs that names this purpose, or none."""
    default = shape.consent.default if shape.consent else None
    return purposes.get(named or default or NO_PURPOSE)


def check_purposes(shape: ModelShape, declared: frozenset[str]) -> Iterator[tuple[Path, str]]:
    """Names of purposes that are not there.

    declared:  every name in the file, those of broken entries too
    """
    if NO_PURPOSE in declared:
        words = f'"{NO_PURPOSE}" is what a rule says that needs no consent. Call the purpose something else'
        yield ("consent", "purposes", NO_PURPOSE), words
    default = shape.consent.default if shape.consent else None
    if default and default not in declared:
        yield ("consent", "default"), _unknown(default, declared)
    for name, rule in shape.engagement.items():
        if rule.purpose and rule.purpose not in declared | {NO_PURPOSE}:
            yield ("engagement", name, "purpose"), _unknown(rule.purpose, declared)


def _unknown(seen: str, declared: frozenset[str]) -> str:
    known = listing(seen, declared) if declared else _NONE_DECLARED
    return f'unknown purpose "{short(seen)}". Purposes: {known}'

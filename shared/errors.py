"""The three families of errors, named by what the caller must do.

In: nothing. Out: `Invalid` (reject or dead-letter the data), `Transient` (try again later),
`Misconfigured` (stop at start and let a person read the list).
Refuses to carry foreign exceptions: they are mapped once, at the effect that met them.

A message has three parts: what is wrong, the value seen, what would work.
"""

from collections.abc import Sequence


class LeadscoreError(Exception):
    """Base of everything we raise on purpose."""


class Invalid(LeadscoreError):
    """The data is wrong and stays wrong: reject it to its sender or dead-letter it, never retry.

    code:     closed set, `snake_case`, safe as a metric label and in an API answer
    message:  for a person; names the remedy, never repeats personal data
    field:    where in the data, as a path such as `batch[3].event`; empty if it is the whole
    """

    def __init__(self, code: str, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class Transient(LeadscoreError):
    """The world is wrong at the moment (broker, database, network): try the same thing again later.

    retry_after_s: seconds the caller should wait, None if the raiser cannot know
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Misconfigured(LeadscoreError):
    """A person has to change a setting or a file: the process stops at start and lists every mistake.

    problems: one sentence each, in the order of the file
    """

    def __init__(self, what: str, problems: Sequence[str]) -> None:
        self.what = what
        self.problems = tuple(problems)
        super().__init__("\n".join([what, *(f"  {problem}" for problem in self.problems)]))

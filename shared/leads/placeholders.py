"""What senders write where they do not know who it is: identifiers of nobody.

In: an identifier in its normal form. Out: whether it names nobody. As an identifier it would make one lead
of strangers. The list here is for everybody; an installation adds its own (LEADSCORE_IDENTITY_PLACEHOLDERS).
"""

import re
from typing import Final

# Seen in the block lists of Segment, PostHog, RudderStack and Mixpanel, and in what their users report.
_NOBODY: Final = frozenset(
    {
        *("anonymous", "anon", "guest", "user", "nobody", "noone", "unknown", "unidentified", "visitor"),
        *("null", "nil", "none", "undefined", "nan", "empty", "missing", "n/a", "na", "n.a.", "not set"),
        *("(not set)", "not_set", "notset", "not available", "not_available", "not_authenticated"),
        *("true", "false", "yes", "no", "-1", "id", "userid", "user_id", "email", "distinct_id"),
        *("distinctid", "anonymous_id", "anonymousid", "[object object]", "object", "function", "string"),
        *("test", "testing", "tester", "test user", "testuser", "default", "dummy", "example", "sample"),
        *("demo", "admin", "administrator", "root", "system", "tbd", "todo", "foo", "bar", "asdf", "abc"),
        *(
            "unbekannt",
            "anonym",
            "keine",
            "kein",
            "fehlt",
            "noemail",
            "no-email",
            "nomail",
            "no-mail",
        ),
        *("xxx", "aaa", "qwerty", "0.0", "00000000-0000-0000-0000-000000000000"),
    }
)
# `0`, `000`, `-`, `--`, `?`, `***`, `xxxx`: somebody leant on a key, or a program wrote its zero value.
_FILLER: Final = re.compile(r"[-0_.?*#x\s]+")
# Mailboxes nobody reads. `info@` and `sales@` are not here: in small companies they are the contact.
_UNREAD: Final = frozenset(
    {
        *("noreply", "no-reply", "no_reply", "no.reply", "donotreply", "do-not-reply", "do_not_reply"),
        *("mailer-daemon", "postmaster"),
    }
)
# With one of these before the @ as well: `test@example.com`, `null@null.com`, `asdf@mail.com`.
_NO_COMPANY: Final = _NOBODY | {"mail", "domain", "company", "site", "website", "nowhere", "invalid"}


def is_placeholder(value: str) -> bool:
    """Whether this names nobody. `value`: an id, or an address in its normal form."""
    bare = value.strip().strip("\"'`<>").strip().lower()
    if bare in _NOBODY or not bare or _FILLER.fullmatch(bare):
        return True
    mailbox, at, domain = bare.partition("@")
    if not at:
        return False
    return mailbox in _UNREAD or (_names_nobody(mailbox) and domain.partition(".")[0] in _NO_COMPANY)


def _names_nobody(mailbox: str) -> bool:
    return mailbox in _NOBODY or _FILLER.fullmatch(mailbox) is not None

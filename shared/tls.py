"""What went wrong with TLS, for people.

In: what Python raised. Out: one sentence that ends with a full stop.
"""

import ssl


def reason(error: OSError) -> str:
    """The reason in a few words: Python's own text has line numbers of C files in it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.verify_message.rstrip('.')}."
    if isinstance(error, ssl.SSLError):
        return f"{(error.reason or type(error).__name__).replace('_', ' ').lower()}."
    return f"{error.strerror or error}."

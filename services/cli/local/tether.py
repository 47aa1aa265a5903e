"""Become another program that ends when its parent does.

In: argv — the parent's pid, the signal to get when it dies, the uid to run as (`-` keeps ours), then the
command. Out: that command, in this very process, so that our pid is its pid.
Refuses to run for a parent that is gone already.

A program of its own and not a `preexec_fn`: code between fork and exec is unsafe where threads run,
and Python 3.12 warns about it. Only the standard library, because it runs with `python -I -S`.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Drop rights, tie ourselves to the parent, become the command."""
    parent, number, user, *command = argv
    if user != "-":
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    # After setuid, which clears it. Only Linux has it; elsewhere the pid file finds what was left behind.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(f"not started: the parent, process {parent}, is gone")
    os.execvp(command[0], command)  # noqa: S606 - becoming the program is the whole point


if __name__ == "__main__":
    main(sys.argv[1:])

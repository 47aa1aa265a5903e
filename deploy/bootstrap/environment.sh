#!/bin/sh
# Make .venv: everything that `make run` and `make test` need, from the hashed lock file.
#
# In: a Python >= 3.11 (LEADSCORE_PYTHON names one), the network once. Out: .venv, with this checkout installed
# in place. Does nothing, and needs no network, when .venv already fits the lock file.
# Refuses packages whose hash is not in deploy/locks/dev.txt.
set -eu
cd "$(dirname "$0")/../.."

# Root is the user of many a container; pip need not explain that it is.
export PIP_ROOT_USER_ACTION=ignore

LOCK=deploy/locks/dev.txt
STAMP=.venv/leadscore.stamp

fail() {
    printf 'make setup: %s\n' "$*" >&2
    exit 1
}

# What .venv depends on. The path belongs to it: scripts in a .venv name the Python beside them.
wanted_stamp() {
    cksum "$LOCK" pyproject.toml
    printf '%s %s\n' "$PWD" "${LEADSCORE_PYTHON:-}"
}

is_ready() {
    [ -f "$STAMP" ] && [ "$(wanted_stamp)" = "$(cat "$STAMP")" ] && .venv/bin/python -c '' 2>/dev/null
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${LEADSCORE_PYTHON:-}" ]; then
        is_new_enough "$LEADSCORE_PYTHON" ||
            fail "LEADSCORE_PYTHON=$LEADSCORE_PYTHON is no Python >= 3.11; name one, or unset it to have one found."
        echo "$LEADSCORE_PYTHON"
        return
    fi
    for name in python3.13 python3.12 python3.11 python3 python; do
        # Running it decides: a name may be a shim for a version that is not there.
        if is_new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    fail "no Python >= 3.11 on PATH; install one (Debian 12: apt install python3-venv) or name it in LEADSCORE_PYTHON."
}

version_of() {
    "$1" -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null
}

with_uv() {
    "$1" venv --quiet --allow-existing --python "$PYTHON" .venv &&
        "$1" pip install --quiet --python .venv/bin/python --require-hashes -r "$LOCK" &&
        "$1" pip install --quiet --python .venv/bin/python --offline --no-deps --no-build-isolation --editable .
}

with_pip() {
    "$PYTHON" -m venv .venv >/dev/null 2>&1 &&
        .venv/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r "$LOCK" &&
        .venv/bin/python -m pip --disable-pip-version-check install --quiet --no-index --no-deps \
            --no-build-isolation --editable .
}

# Debian's Python without python3-venv has no venv, but often pip, which may not touch the system: a folder is fine.
with_uv_of_our_own() {
    [ -x .tools/bin/uv ] ||
        "$PYTHON" -m pip --disable-pip-version-check install --quiet --target .tools uv || return 1
    with_uv .tools/bin/uv
}

make_environment() {
    if command -v uv >/dev/null 2>&1 && with_uv uv; then return; fi
    if with_pip; then return; fi
    if with_uv_of_our_own; then return; fi
    fail "$PYTHON could not make .venv (see above); connect this machine to the network once, and install" \
        "python3-venv or uv, or name another Python in LEADSCORE_PYTHON."
}

# Two at the same time (`make run` in one window, `make test` in another) wait for each other.
if [ -z "${LEADSCORE_SETUP_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
    mkdir -p .cache
    LEADSCORE_SETUP_LOCKED=1 exec flock .cache/setup.lock "$0" "$@"
fi
is_ready && exit 0
PYTHON=$(find_python)
[ "$(version_of .venv/bin/python)" = "$(version_of "$PYTHON")" ] || rm -rf .venv
echo "Making .venv with $("$PYTHON" --version) ($PYTHON): once, about a minute." >&2
make_environment
wanted_stamp >"$STAMP"

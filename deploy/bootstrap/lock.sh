#!/bin/sh
# Write deploy/locks/*.txt anew: for development, for each service's image and its build, for peers of benchmarks.
#
# In: pyproject.toml, uv (on PATH, or fetched into .tools), the network. Out: requirements with hashes for every
# platform. Refuses to leave a registry's address in them: where packages come from is each machine's own setting.
#
#     deploy/bootstrap/lock.sh [--upgrade]
set -eu
cd "$(dirname "$0")/../.."

uv=$(command -v uv || echo .tools/bin/uv)
[ -x "$uv" ] || .venv/bin/python -m pip install --quiet --target .tools uv

compile() {
    name=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --output-file "deploy/locks/$name.txt" "$@"
    if grep -qE 'https?://|--(extra-)?index-url|--find-links' "deploy/locks/$name.txt"; then
        echo "make lock: deploy/locks/$name.txt names an address; find the dependency with a URL and replace it." >&2
        exit 1
    fi
}

compile dev pyproject.toml --extra embedded --extra import --extra traces --group dev "$@"
for service in ingest scorer router cli; do
    compile "$service" pyproject.toml --extra "$service" --extra traces "$@"
done
compile build --group build "$@"
compile peers --group peers "$@"

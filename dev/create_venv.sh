#!/usr/bin/env bash
# Creates the virtual environment: create_venv.sh VENV PYTHON [FALLBACK]
#
# FALLBACK is tried when PYTHON is not there, and taken if its version will do.
set -euo pipefail

venv=$1
shift

# Prints the version of a Python if the pinned wheels exist for it.
usable() {
    "$1" -c 'import sys; v = sys.version_info[:2]
if not (3, 11) <= v <= (3, 13): sys.exit(1)
print("%d.%d" % v)' 2>/dev/null
}

for python in "$@"; do
    if command -v "$python" >/dev/null && version=$(usable "$python"); then
        echo "Creating $venv with $python (Python $version)"
        if ! "$python" -m venv --clear "$venv"; then
            echo "error: $python cannot create virtual environments;" \
                "on Debian and Ubuntu install python$version-venv" >&2
            exit 1
        fi
        exit 0
    fi
done

echo "error: no usable Python (tried: $*). The pinned wheels need" \
    "Python 3.11, 3.12 or 3.13; name yours with: make PYTHON=/path/to/python3.11" >&2
exit 1

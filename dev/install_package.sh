#!/usr/bin/env bash
# Installs the working tree, editable, into the virtual environment: install_package.sh VENV
#
# Beyond what pip does, the environment becomes the package's ROS prefix: the package is in
# the ament index, and its share folder shows the working tree's launch/ and config/.
set -euo pipefail

venv=$1
share=$venv/share/visual_tracker
index=$venv/share/ament_index/resource_index/packages
scripts=$venv/lib/visual_tracker

# Links of an earlier run go first: pip must never write, or delete, through them.
rm -rf "$share" "$scripts"
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
rm -rf "$share"

mkdir -p "$share/launch" "$share/config" "$index" "$scripts"
# File by file: "ros2 launch" does not look into linked folders.
for file in package.xml launch/*.py config/*; do
    ln -s "$PWD/$file" "$share/$file"
done
cp resource/visual_tracker "$index/visual_tracker"

# With this the environment's Python finds the ament index without a setup file to source.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo 'import os, sys; os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)' \
    >"$site/ament_prefix_path.pth"

# ROS looks for a package's executables in lib/<package>, pip puts them in bin.
"$venv/bin/python" - <<'PYTHON' | while read -r name; do
from importlib.metadata import distribution

for entry in distribution("visual_tracker").entry_points:
    if entry.group == "console_scripts":
        print(entry.name)
PYTHON
    ln -s "../../bin/$name" "$scripts/$name"
done

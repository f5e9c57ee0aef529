#!/usr/bin/env bash
# Makes OpenCV importable on a machine without graphics libraries: check_opencv.sh VENV
#
# The wheel with windows needs libGL, which a bare server lacks; the headless one is the same
# release without windows (no --show, no drawing of boxes).
set -euo pipefail

python=$1/bin/python
if error=$("$python" -c 'import cv2' 2>&1); then
    exit 0
fi
case $error in
*cannot\ open\ shared\ object\ file*)
    version=$("$python" -c '
from importlib.metadata import version
print(version("opencv-contrib-python"))')
    echo "OpenCV cannot open windows on this machine; taking its headless build" >&2
    "$python" -m pip uninstall --quiet --yes opencv-contrib-python
    "$python" -m pip install --quiet --no-deps "opencv-contrib-python-headless==$version"
    "$python" -c 'import cv2'
    ;;
*)
    echo "error: OpenCV cannot be imported: $error" >&2
    exit 1
    ;;
esac

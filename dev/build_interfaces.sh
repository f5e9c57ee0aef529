#!/usr/bin/env bash
# Builds the messages into the virtual environment: build_interfaces.sh VENV BUILD
#
# Run in the repository's root; BUILD holds the CMake build folders. Installed into the
# environment's own prefix, the messages need no environment variable at run time.
set -euo pipefail

venv=$(cd "$1" && pwd)
build=$2

# An apt ROS on the PATH would offer CMake its packages; only the wheels' may be found.
PATH=$venv/bin:$(tr ':' '\n' <<<"$PATH" | grep -v '^/opt/ros/' | paste -sd:)
export PATH

for tool in cmake cc c++; do
    if ! command -v "$tool" >/dev/null; then
        echo "error: no $tool; on Debian and Ubuntu install cmake and build-essential" >&2
        exit 1
    fi
done

# The wheels' CMake exports name folders of the machine that built them, and CMake stops
# at include folders that do not exist. Emptying the value works, deleting the line does not.
find "$venv/share" -path '*/cmake/*' -name '*.cmake' \
    -exec grep -q '"/opt/python/' {} \; -exec sed -i 's#"/opt/python/[^"]*"#""#g' {} +

# build_package NAME SOURCE
build_package() {
    local name=$1 source=$2 folder=$build/$1 log=$build/$1.log
    # A cache of an earlier environment knows another Python.
    if [[ $venv/pyvenv.cfg -nt $folder/CMakeCache.txt ]]; then
        rm -rf "$folder"
    fi
    mkdir -p "$folder"
    # Files of messages that are gone would stay importable.
    if [[ -f $folder/install_manifest.txt ]]; then
        tr -d '\r' <"$folder/install_manifest.txt" | tr '\n' '\0' | xargs -0 rm -f
    fi
    echo "Building $name (log: $log)"
    if ! {
        cmake -S "$source" -B "$folder" -G Ninja \
            -DCMAKE_BUILD_TYPE=Release \
            -DCMAKE_INSTALL_PREFIX="$venv" \
            -DCMAKE_PREFIX_PATH="$venv" \
            -DPython3_EXECUTABLE="$venv/bin/python" \
            -DBUILD_TESTING=OFF &&
            cmake --build "$folder" --target install
    } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "error: building $name failed; the whole log is $log" >&2
        exit 1
    fi
}

build_package vision_msgs dev/vision_msgs_standin
build_package visual_tracker_msgs visual_tracker_msgs

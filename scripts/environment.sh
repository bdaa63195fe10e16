# Sets up a Python environment in the checkout; sourced by the other scripts.
#
#   tilewright_environment FOLDER PACKAGE...
#
# makes FOLDER (with uv if it is there, else with venv and pip), installs the packages into it, and leaves a stamp,
# so that the next call with the same packages takes no time.

# The first Python here that is of one of these versions: TILEWRIGHT_PYTHON if it is set, then by its name.
tilewright_python() {
    local name found
    for name in ${TILEWRIGHT_PYTHON:-} "${@/#/python}" python3 python; do
        found=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        case " $* " in *" $found "*)
            echo "$name"
            return
            ;;
        esac
    done
    echo "Tilewright's scripts need Python $(echo "$*" | sed 's/ / or /g'): for these there is a Blender package (bpy). None was found." >&2
    echo "Install one and run this again:" >&2
    echo "  Debian, Ubuntu: apt install python3.13 python3.13-venv" >&2
    echo "  with uv:        uv python install 3.13, then TILEWRIGHT_PYTHON=\$(uv python find 3.13)" >&2
    return 1
}

tilewright_environment() {
    local folder=$1 python stamp versions="3.11 3.13"
    shift
    case "$*" in *bpy==4*) versions=3.11 ;; esac
    python=$(tilewright_python $versions) || return 1
    stamp="$("$python" -V; cat pyproject.toml; echo "$*")"
    if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ]; then
        return
    fi
    # What was installed for another Python would only be in the way, and of packages whose installation was interrupted
    # pip takes the half for the whole.
    [ "$("$folder/bin/python" -V 2>/dev/null)" = "$("$python" -V)" ] && [ ! -e "$folder/.unfinished" ] || rm -rf "$folder"
    mkdir -p "$folder"
    touch "$folder/.unfinished"
    echo "Setting up $(basename "$folder") (once; downloads up to 1.2 GB, some minutes on a slow line) ..." >&2
    if command -v uv >/dev/null; then
        uv venv --quiet --allow-existing --python "$python" "$folder" &&
            uv pip install --quiet --python "$folder/bin/python" "$@" || return 1
    else
        "$python" -m venv "$folder" &&
            "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --progress-bar on "$@" || return 1
    fi
    case "$*" in *bpy* | *blender*) tilewright_blender_libraries "$folder" || return 1 ;; esac
    echo "$stamp" >"$folder/.stamp"
    rm "$folder/.unfinished"
    echo "... done." >&2
}

# Blender's Python package needs a few libraries of the system, which a machine without a screen may lack.
tilewright_blender_libraries() {
    local python=$1/bin/python packages="libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1 libegl1 libgomp1"
    "$python" -c 'import bpy' >/dev/null 2>&1 && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing the libraries Blender needs: $packages" >&2
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages; } >/dev/null
    fi
    "$python" -c 'import bpy' >/dev/null && return
    echo "Blender's Python package does not load (the reason is above)." >&2
    echo "On Debian and Ubuntu: sudo apt install $packages" >&2
    return 1
}

#!/usr/bin/env bash
# resource-airbyte, run from a clone. Needs python3 (3.11 or newer) and, the first time, a network.
#
# The libraries go into an environment in the user's cache, named after the hash of the lock file and the platform. It is
# built beside its final place, under a lock, and renamed into it: half an environment is never used. Nothing is written
# into the clone, so one made by root serves everybody.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "error: $1"
    say "hint: $2"
    exit 1
}

find_clone() {
    local path=${BASH_SOURCE[0]} target
    case $path in /*) ;; *) path=$PWD/${path#./} ;; esac
    launcher=$path
    while [ -L "$path" ]; do
        target=$(readlink "$path")
        case $target in /*) path=$target ;; *) path=${path%/*}/$target ;; esac
    done
    clone=$(cd "${path%/*}" && pwd -P)
}

hash_of() {
    { sha256sum "$1" 2>/dev/null || shasum -a 256 "$1" 2>/dev/null || cksum "$1"; } | { read -r sum _ && printf '%.16s' "$sum"; }
}

# The environment for this lock file, if there is one whose interpreter still exists.
find_environment() {
    local candidate
    for candidate in "$environments/$key-"*; do
        if [ -x "$candidate/bin/python" ]; then
            environment=$candidate
            return 0
        fi
    done
    return 1
}

find_python() {
    local name found=
    for name in python3 python3.13 python3.12 python3.11; do
        python=$(type -P "$name") || continue
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then return 0; fi
        found="$found $name ($("$python" --version 2>&1 || true))"
    done
    fail "Python 3.11 or newer is needed; found:${found:- none}." "$(package_hint python3 python3 python3 python)"
}

# How to install something here; the arguments are its names in Debian, Fedora, Alpine and Arch.
package_hint() {
    local family
    # shellcheck source=/dev/null
    family=$(. /etc/os-release 2>/dev/null && printf '%s' "${ID-} ${ID_LIKE-}") || true
    case " $family " in
        *debian* | *ubuntu*) printf 'install it with: apt-get install %s' "$1" ;;
        *fedora* | *rhel*) printf 'install it with: dnf install %s' "$2" ;;
        *alpine*) printf 'install it with: apk add %s' "$3" ;;
        *arch*) printf 'install it with: pacman -S %s' "$4" ;;
        *) printf 'install the package %s (Debian, Ubuntu), %s (Fedora), %s (Alpine) or %s (Arch)' "$@" ;;
    esac
}

# Run pip for the new environment: the interpreter's own pip if it has one, else one that ensurepip puts there.
choose_pip() {
    if "$python" -m pip --python "$python" --version >/dev/null 2>&1; then
        # By the interpreter itself: after each pip, a shim of pyenv writes into a directory that may be another user's.
        pip=("$("$python" -c 'import sys; print(sys.executable)')" -m pip --python "$new/bin/python")
    elif "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        "$new/bin/python" -m ensurepip >>"$log" 2>&1 || set_up_failed
        pip=("$new/bin/python" -m pip)
    else
        fail "$python has neither pip nor ensurepip, so nothing can be installed for it." \
            "$(package_hint python3-venv python3-pip py3-pip python-pip)"
    fi
}

# uv does not read pip's configuration, but a mirror or a certificate named there is needed just as much. And it trusts
# certificates of its own, not the system's, which a company's proxy is among.
copy_pip_configuration() {
    local name value
    for value in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
        if [ -e "$value" ]; then export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}; fi
    done
    while IFS='=' read -r name value; do
        value=${value#\'} value=${value%\'}
        case $name in
            *.index-url) export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$value} ;;
            *.cert) export SSL_CERT_FILE=${SSL_CERT_FILE:-$value} ;;
        esac
    done < <("${pip[@]}" config list 2>/dev/null || true)
}

# The lines of the lock file that pin uv, hashes included.
uv_requirement() {
    local line inside=
    while IFS= read -r line; do
        case $line in uv==*) inside=yes ;; esac
        [ -z "$inside" ] && continue
        printf '%s\n' "$line"
        case $line in *\\) ;; *) return ;; esac
    done <"$lock"
}

set_up_failed() {
    tail -n 8 "$log" >&2 || true
    fail "setting up the environment failed; nothing was left behind." \
        "check the network (or HTTPS_PROXY) and the free space in $cache, then run the same command again"
}

# Without descriptor 9: a child that outlives us must not hold the lock.
quietly() { "$@" >>"$log" 2>&1 9>&- || set_up_failed; }

fill_environment() {
    quietly "$python" -m venv --without-pip "$new"
    choose_pip
    uv_requirement >"$new/uv.txt"
    copy_pip_configuration
    quietly env PIP_USER=0 "${pip[@]}" --disable-pip-version-check --no-input --quiet --retries 2 \
        install --no-deps --require-hashes --only-binary :all: -r "$new/uv.txt"
    unset UV_SYSTEM_PYTHON UV_PYTHON
    (cd / && quietly "$new/bin/uv" --quiet pip sync --python "$new/bin/python" --require-hashes "$lock")
}

# One at a time. The kernel drops the lock with its holder, so a killed set-up blocks nobody.
take_lock() {
    exec 9>"$environments/.lock"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null && return
    say "waiting for another set-up to end …"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

build_environment() {
    find_python
    mkdir -p "$environments" 2>/dev/null || fail "cannot write to $cache." "set XDG_CACHE_HOME to a directory that you may write to"
    take_lock
    find_environment && return
    sweep
    say "setting up $1 (first run only) …"
    new=$(mktemp -d "$environments/.new.XXXXXX")
    log=$new/set-up.log
    trap 'rm -rf "$new"' EXIT
    (fill_environment) # what it sets for pip and uv ends with it
    environment=$environments/$key-$("$new/bin/python" -c 'import sys; print(sys.implementation.cache_tag)')
    rm -rf "$environment" && mv "$new" "$environment"
    trap - EXIT
    sweep
    warm_up
    exec 9>&-
    say "set up in $SECONDS s"
}

# Remove what killed set-ups left. One of their children may still be writing there: what it adds goes the next time.
sweep() { rm -rf "$environments"/.new.* 2>/dev/null || true; }

# Compile what every command imports, so that the first one is not the slow one. It changes nothing but speed.
warm_up() {
    "$environment/bin/python" -c 'import typer, rich.table, rich.live, httpx, yaml, jsonschema, pydantic, fastapi, uvicorn, psutil
import sqlalchemy.orm, cryptography.fernet, msgspec, duckdb, pyarrow.json' >/dev/null 2>&1 9>&- || true
}

find_clone
cache=${XDG_CACHE_HOME:-}
case $cache in /*) ;; *) cache=${HOME:-$(cd ~ && pwd)}/.cache ;; esac
cache=$cache/resource-airbyte
environments=$cache/env
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH
export PYTHONPYCACHEPREFIX=$cache/pycache

lock=$clone/requirements.lock what="the environment"
case "${1-} ${2-}" in "test unit" | "test integration" | "test stack" | "test all" | "--dev-python ")
    lock=$clone/requirements-dev.lock what="the environment for tests"
    ;;
esac
key=$(hash_of "$lock")-$OSTYPE-$HOSTTYPE
find_environment || build_environment "$what"
if [ "${1-}" = --dev-python ]; then
    printf '%s\n' "$environment/bin/python"
    exit
fi
export PYTHONPATH=$clone AIRBYTE_LAUNCHER=$launcher
exec "$environment/bin/python" -P -m resource_airbyte "$@"

# shellcheck shell=bash
# Sourced by the scripts beside it and by people who work on the collection: one environment for every tool.
# Everything the tools write stays below .venv and .cache of the checkout.

REPO="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
CACHE="$REPO/.cache"
export REPO CACHE

case ":$PATH:" in
    *":$REPO/.venv/bin:"*) ;;
    *) PATH="$REPO/.venv/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin" ;;
esac
export PATH

# The checkout as lbforge.haproxy, through the symlink that scripts/setup makes.
export ANSIBLE_COLLECTIONS_PATH="$CACHE/collections"
export ANSIBLE_HOME="$CACHE/ansible"
export ANSIBLE_LOCAL_TEMP="$CACHE/ansible/tmp"
export ANSIBLE_NOCOLOR=1
export PYTHONPATH="$CACHE/collections"
export PYTHONDONTWRITEBYTECODE=1
export XDG_CACHE_HOME="$CACHE/xdg"
export HYPOTHESIS_STORAGE_DIRECTORY="$CACHE/hypothesis"

export MOLECULE_GLOB="$REPO/molecule/*/molecule.yml"
# Containers with runc and modest limits, whatever the machine's own settings are.
export CONTAINERS_CONF="$REPO/scripts/lib/containers.conf"

# Ansible insists on UTF-8.
export LC_ALL="${LC_ALL:-C.UTF-8}"

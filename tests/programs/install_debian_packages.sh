#!/usr/bin/env bash
# Installs the programs that some tests run against: a browser, and PostgreSQL. Does nothing where
# they are there; where they cannot be installed, it says so, and those tests are skipped.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"

has_all() {
    command -v chromium chromedriver >/dev/null && compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null
}

has_all && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "Notice: without root on Debian, please install: $(paste -sd' ' "$here/debian_packages.txt");" \
        "tests that need them are skipped until then"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# PostgreSQL would start a server of its own at once
mkdir -p /etc/postgresql-common/createcluster.d
echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/none.conf
xargs -a "$here/debian_packages.txt" apt-get install -qq -y --no-install-recommends >/dev/null

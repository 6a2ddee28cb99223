#!/bin/sh
# Replaces gateway/rest/pages/swagger-ui by the files of npm's swagger-ui-dist that the gateway serves at /docs:
#
#   sh third_party/update-swagger-ui.sh 5.36.0
#
# Run `make test-pages` afterwards. Needs npm, which verifies the package against the registry's checksum. The files are
# kept here because no package on PyPI contains them without requiring a web framework.
set -eu

version="${1:?name the version of swagger-ui-dist}"
cd "$(dirname "$0")/.."
pages="$PWD/gateway/rest/pages/swagger-ui"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" "swagger-ui-dist@$version" >/dev/null
tar -xzf "$work/swagger-ui-dist-$version.tgz" -C "$work"

rm -rf "$pages"
mkdir "$pages"
cd "$work/package"
cp LICENSE NOTICE package.json swagger-ui-bundle.js.LICENSE.txt "$pages"
# Compressed as they are sent, so that no gateway spends time or memory on it. Without names and times, the same version
# gives the same bytes.
for file in swagger-ui-bundle.js swagger-ui.css; do
    gzip -9 -n -c "$file" >"$pages/$file.gz"
done
chmod 644 "$pages"/*

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Programs outside the tree, among them examples/hello, build against the
# installed library with nothing but pkg-config, in C, and run.
set -euo pipefail

build=$1
stage=$(mktemp -d)
shm=$(mktemp -d /dev/shm/datahub-installed-XXXXXX)
trap 'rm -rf "$stage" "$shm"' EXIT

DESTDIR=$stage meson install -C "$build" --no-rebuild --quiet
pc=$(find "$stage" -name datahub-1.0.pc)
[ -n "$pc" ] || {
  echo "datahub-1.0.pc was not installed"
  exit 1
}
private=$(find "$stage" -name '*-private.h')
[ -z "$private" ] || {
  echo "private headers were installed: $private"
  exit 1
}

cat >"$stage/program.c" <<'C'
#include <datahub/datahub.h>
#include <stdio.h>

int
main (void)
{
  DatahubError error;
  if (!DATAHUB_CHECK_VERSION (DATAHUB_VERSION_MAJOR, DATAHUB_VERSION_MINOR, 0)
      || datahub_version_number () != DATAHUB_VERSION_NUMBER)
    return 1;
  if (datahub_channel_is_valid ("no/slash", &error))
    return 1;
  printf ("%s: %s\n", datahub_result_name (error.code), error.message);
  return datahub_channel_is_valid ("cam0", NULL) ? 0 : 1;
}
C
cp "$(dirname "$0")"/../../examples/hello/*.c "$stage"
# The stage stands in for the root of the file system.
libdir=$(dirname "$(dirname "$pc")")
sed -i "s|^prefix=|prefix=$stage|" "$pc"
export PKG_CONFIG_PATH=$libdir/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs datahub-1.0)"
read -ra compiler <<<"${CC:-cc}"
"${compiler[@]}" -Wall -Wextra -Werror "$stage/program.c" -o "$stage/program" \
  "${flags[@]}"
for name in producer consumer; do
  "${compiler[@]}" -std=c11 -Wall -Wextra -Werror "$stage/$name.c" \
    -o "$stage/$name" "${flags[@]}"
done
export LD_LIBRARY_PATH=$libdir DATAHUB_SHM_DIR=$shm
"$stage/program"
"$stage/producer" &
"$stage/consumer" >"$stage/lines"
wait $!
[ "$(tail -n1 "$stage/lines")" = "hello 9" ] || {
  echo "the consumer of examples/hello printed:"
  cat "$stage/lines"
  exit 1
}

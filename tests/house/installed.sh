#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A program outside the tree builds against the installed library with nothing
# but pkg-config, in C, and runs.
set -euo pipefail

build=$1
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

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
  if (datahub_channel_is_valid ("no/slash", &error))
    return 1;
  printf ("%s: %s\n", datahub_result_name (error.code), error.message);
  return datahub_channel_is_valid ("cam0", NULL) ? 0 : 1;
}
C
# The stage stands in for the root of the file system.
libdir=$(dirname "$(dirname "$pc")")
sed -i "s|^prefix=|prefix=$stage|" "$pc"
export PKG_CONFIG_PATH=$libdir/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs datahub-1.0)"
read -ra compiler <<<"${CC:-cc}"
"${compiler[@]}" -Wall -Wextra -Werror "$stage/program.c" -o "$stage/program" \
  "${flags[@]}"
LD_LIBRARY_PATH=$libdir "$stage/program"

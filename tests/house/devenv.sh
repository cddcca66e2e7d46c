#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# `meson devenv -C BUILD` is enough for GStreamer's tools to find the elements,
# and for a shell to find the command `datahub`.
set -euo pipefail

build=$1
registry=$(mktemp -d)
trap 'rm -rf "$registry"' EXIT

for element in datahubsink datahubsrc; do
  env -u GST_PLUGIN_PATH GST_REGISTRY="$registry/registry.bin" \
    meson devenv -C "$build" gst-inspect-1.0 "$element" >"$registry/out" || {
    cat "$registry/out"
    echo "gst-inspect-1.0 does not find $element in the development environment"
    exit 1
  }
  grep -q "$build" "$registry/out" || {
    cat "$registry/out"
    echo "$element was found, but not in this build tree"
    exit 1
  }
done

found=$(meson devenv -C "$build" bash -c 'command -v datahub')
case $(realpath "$found") in
  "$(realpath "$build")"/*) ;;
  *)
    echo "datahub is $found in the development environment, not in this build tree"
    exit 1
    ;;
esac

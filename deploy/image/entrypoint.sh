#!/bin/sh
# Prepare the only writable volume, then replace this shell by the command, so that signals reach it.
set -eu
if ! mkdir -p "$TMPDIR" 2>/dev/null || ! [ -w "$TMPDIR" ]; then
    echo "$SENTINEL_HOME is not writable for user $(id -u): mount a writable volume there." >&2
    exit 1
fi
# Numba uses a cache only where it may write to it. The move makes the whole cache visible at once.
if ! cmp -s /app/kernel/version "$NUMBA_CACHE_DIR/version"; then
    unfinished=$(mktemp -d "$TMPDIR/kernel.XXXXXX")
    cp -r /app/kernel "$unfinished/kernel"
    rm -rf "$NUMBA_CACHE_DIR"
    mv "$unfinished/kernel" "$NUMBA_CACHE_DIR"
    rmdir "$unfinished"
fi
exec "$@"

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/NAME is a link to this: runs the program bench_NAME, which `./dev bench NAME` builds.
set -eu
name=$(basename "$0")
root=$(cd "$(dirname "$0")/.." && pwd)
program=$root/build/release/bin/bench_$name
[ -x "$program" ] || { echo "error: $program is not built" >&2; echo "hint: ./dev bench $name" >&2; exit 3; }
PST_COMMIT=$(git -C "$root" describe --always --dirty --exclude '*' 2>/dev/null || echo '?')
export PST_COMMIT
exec "$program" "$@"

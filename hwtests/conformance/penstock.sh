#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The official suite against Penstock as a user runs it: a cluster, a GatewayClass with a pool of addresses, penstockd with its kubeconfig.
#   penstock.sh VERSION [auto|xdp|userspace] [FLAG OF THE SUITE...]
# PST_BIN: where penstockd is (build/release/bin). Exits with the suite's result; the report is build/conformance/report-VERSION-DATAPATH.yaml,
# or report-$RIG_REPORT.yaml of a part of it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export RIG_STATE=${RIG_STATE:-$root/build/conformance}
bin=${PST_BIN:-$root/build/release/bin}
version=${1:?usage: penstock.sh VERSION [auto|xdp|userspace] [FLAG...]}
datapath=${2:-auto}
shift $(($# < 2 ? $# : 2))
run=$here/run.sh
daemon=

finish() {
	if [[ -n $daemon ]]; then
		kill "$daemon" 2>/dev/null || true
		wait "$daemon" 2>/dev/null || true
	fi
	"$run" down >&2 || true
	rm -rf /sys/fs/bpf/penstock-conformance
}
trap finish EXIT

rm -rf "$RIG_STATE/penstock"
"$run" up "$version" >&2
"$run" kubectl apply --server-side -f "$root/configs/deploy/base/penstocknodes.yaml" >&2
"$run" kubectl apply -f "$here/class.yaml" >&2
# In a process group of its own: the keeper takes its processes along.
"$run" node "$bin/penstockd" --kubeconfig "$RIG_STATE/kubeconfig" --datapath "$datapath" --interface data0 --state-dir "$RIG_STATE/penstock" \
	--pin-dir /sys/fs/bpf/penstock-conformance >"$RIG_STATE/log/penstock" 2>&1 &
daemon=$!
"$run" kubectl wait gatewayclass/penstock --for=condition=Accepted --timeout=60s >&2

profiles=GATEWAY-HTTP,GATEWAY-GRPC,GATEWAY-TLS
[[ $version == v1.5.* ]] || profiles+=,GATEWAY-TCP,GATEWAY-UDP
export RIG_RESULTS="$RIG_STATE/results-${RIG_REPORT:-$version-$datapath}.json"
"$run" test "$version" -gateway-class=penstock -conformance-profiles=$profiles -usable-address=10.251.0.250 -unusable-address=192.0.2.250 \
	-report-output="$RIG_STATE/report-${RIG_REPORT:-$version-$datapath}.yaml" -organization=penstock -project=penstock -url=https://penstock.dev \
	-version="$("$bin/penstockd" --version | cut -d ' ' -f 2)" -contact=conformance@penstock.dev "$@"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The one entry to the conformance rig. See README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
state=${RIG_STATE:-$here/../../build/conformance}
mkdir -p "$state"
state=$(cd "$state" && pwd)
bin=$state/bin
kubernetes=v1.36.3 # as in control-plane/go.mod
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"
export GOTOOLCHAIN=auto # a module may name a newer Go than the one installed

usage() {
	sed 's/^\t//' <<-'END'
	usage: run.sh COMMAND
	  fetch [VERSION...]          download the Go modules that they are made of
	  build [VERSION...]          compile what the commands below need (they do it themselves)
	  up VERSION                  start the cluster, with the CRDs of Gateway API VERSION: a folder in suite/
	  class NAME CONTROLLER       create a GatewayClass
	  node COMMAND...             run a command where the implementation belongs
	  client COMMAND...           run a command where the suite runs
	  kubectl ARGUMENT...
	  test VERSION FLAG...        run the suite with its own flags, print a table
	  bench MEASURE [FLAG...]     how an implementation follows changes: propagation, scale, ...
	  features VERSION            every feature that has a gateway test, for -supported-features
	  down                        stop and remove everything
	END
	exit 2
}

# build MODULE PACKAGE PROGRAM [FLAG...]: go decides what is out of date.
build() {
	local module=$1 package=$2 program=$3
	shift 3
	(cd "$here/$module" && go build "$@" -o "$bin/$program" "$package")
}

build_rig() { build rig . rig -ldflags '-s -w'; }
build_bench() { build rig ./bench bench -ldflags '-s -w'; }

build_control_plane() {
	[[ $bin/kubectl -nt $here/control-plane/go.sum ]] && return # the last one built
	echo "building the control plane: some minutes" >&2
	local version=k8s.io/component-base/version
	local ldflags="-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=36"
	build control-plane go.etcd.io/etcd/server/v3 etcd -ldflags "$ldflags"
	for program in kube-apiserver kube-controller-manager kubectl; do
		build control-plane "k8s.io/kubernetes/cmd/$program" "$program" -ldflags "$ldflags"
	done
	touch "$bin/kubectl"
}

build_suite() {
	[[ -f $here/suite/$1/go.mod ]] || { echo "no suite $1" >&2; exit 2; }
	local echo=suite/$1
	[[ ! -d $here/$echo/echo-basic ]] || echo+=/echo-basic # a module of its own, with its image's Go
	build "$echo" tool "echo-basic-$1" -ldflags '-s -w' # the module's one tool
	(cd "$here/suite/$1" && go test -c -ldflags '-s -w' -o "$bin/conformance-$1.test" . &&
		CATALOG=$state/catalog-$1.json "$bin/conformance-$1.test" -test.run '^TestCatalog$' >/dev/null)
}

crds() { (cd "$here/suite/$1" && echo "$(go list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api)/config/crd/experimental"); }

# inside NAMESPACE COMMAND...: nsenter, unlike 'ip netns exec', leaves /sys/fs/bpf in sight.
inside() {
	local ns=$1
	shift
	KUBECONFIG=$state/kubeconfig NO_PROXY='*' no_proxy='*' nsenter --net="/run/netns/gwrig-$ns" "$@"
}

run_suite() {
	local version=$1 results=${RIG_RESULTS:-$state/results-$1.json} wanted='^TestConformance$'
	shift
	build_rig
	build_suite "$version"
	for name in ${RIG_TESTS:-}; do
		grep -q "\"Name\": \"$name\"" "$state/catalog-$version.json" || { echo "there is no test $name in $version" >&2; exit 2; }
	done
	[[ -z ${RIG_TESTS:-} ]] || wanted+="/^(${RIG_TESTS// /|})\$"
	local result=0
	echo "suite $version, events in $results" >&2
	inside client go tool test2json -t -p conformance "$bin/conformance-$version.test" \
		-test.v=test2json -test.run "$wanted" -test.timeout "${RIG_TIMEOUT:-2h}" "$@" >"$results" || result=$?
	"$bin/rig" summary -catalog "$state/catalog-$version.json" "$results"
	return $result
}

mkdir -p "$bin"
command=${1:-}
shift || usage
case $command in
fetch)
	for module in rig control-plane "${@/#/suite/}"; do (cd "$here/$module" && go mod download); done
	;;
build)
	build_rig
	build_control_plane
	for version in "${@:-v1.5.1}"; do build_suite "$version"; done
	;;
up)
	[[ $# == 1 ]] || usage
	build_rig
	build_control_plane
	build_suite "$1"
	"$bin/rig" up -state "$state" -bin "$bin" -crds "$(crds "$1")" -echo "$bin/echo-basic-$1"
	;;
class) "$bin/rig" class -state "$state" "$@" ;;
node | client) inside "$command" "$@" ;;
kubectl) inside client "$bin/kubectl" "$@" ;;
test)
	[[ $# -ge 1 ]] || usage
	run_suite "$@"
	;;
bench)
	build_bench
	inside client "$bin/bench" "$@"
	;;
features)
	[[ $# == 1 ]] || usage
	build_rig
	build_suite "$1"
	"$bin/rig" features -catalog "$state/catalog-$1.json"
	;;
down)
	build_rig
	"$bin/rig" down -state "$state"
	;;
*) usage ;;
esac

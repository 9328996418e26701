// SPDX-License-Identifier: Apache-2.0

// Command rig is a Kubernetes control plane and one fake node on a single
// machine, for the Gateway API conformance suite. See ../README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const usage = `usage: rig COMMAND [-state DIR] ...
  up -bin DIR -crds DIR -echo FILE   start everything and wait until it is ready
  down                               stop everything that up started
  class NAME CONTROLLER              create a GatewayClass
  summary -catalog FILE RESULTS      table of a 'go test -json' run
  features -catalog FILE             the features that the gateway tests need
  kubelet, dns                       (internal) the fake kubelet, the DNS backend`

// options are what 'rig up' is told and hands on to the fake kubelet.
type options struct {
	state, bin, crds, echo string
}

func (o options) path(elem ...string) string {
	return filepath.Join(append([]string{o.state}, elem...)...)
}

func main() {
	var o options
	var catalog string
	flags := flag.NewFlagSet("rig", flag.ExitOnError)
	flags.StringVar(&o.state, "state", "", "folder for keys, logs, pids and etcd's data")
	flags.StringVar(&o.bin, "bin", "", "folder with etcd, kube-apiserver and kube-controller-manager")
	flags.StringVar(&o.crds, "crds", "", "folder with the CRDs' YAML files")
	flags.StringVar(&o.echo, "echo", "", "the echo-basic program")
	flags.StringVar(&catalog, "catalog", "", "the suite's catalogue of tests")
	flags.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	if len(os.Args) < 2 {
		flags.Usage()
		os.Exit(2)
	}
	command := os.Args[1]
	_ = flags.Parse(os.Args[2:])
	args := flags.Args()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	var err error
	switch command {
	case "up":
		err = up(ctx, o)
	case "down":
		err = down(o)
	case "class":
		if len(args) != 2 {
			flags.Usage()
			os.Exit(2)
		}
		err = createClass(ctx, o, args[0], args[1])
	case "kubelet":
		err = runKubelet(ctx, o)
	case "dns":
		err = serveDNS(ctx)
	case "summary":
		if len(args) != 1 {
			flags.Usage()
			os.Exit(2)
		}
		err = summarise(os.Stdout, catalog, args[0])
	case "features":
		err = printFeatures(os.Stdout, catalog)
	default:
		flags.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "rig %s: %v\n", command, err)
		os.Exit(1)
	}
}

// SPDX-License-Identifier: Apache-2.0

// Command bench measures how fast and how well an implementation on the rig
// follows changes of its configuration. It runs in the client's namespace.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const usage = `usage: bench MEASURE [FLAG...]
  setup        create the Gateway and the backends, and leave them (every measure does it)
  propagation  one route after the other: from the API server's answer to the first right response
  attached     many routes at once: until listeners[].attachedRoutes counts them, and back to 0
  change       edits of one route under load: time to the new version, what went wrong
  scale        routes over 50 namespaces, then one edit a second: time, memory, CPU, API requests
  endpoints    a Deployment's pod replaced under load
  clean        delete everything
flags:`

// bench is one run against one Gateway.
type bench struct {
	kube    kubernetes.Interface
	objects dynamic.Interface
	class   string
	address string // the Gateway's, with port
	n       int    // routes, edits or replacements
	poll    time.Duration
	load    loadOptions
	grace   time.Duration
	watched time.Duration
	compare bool // with a plain watch
	oneHost bool // of scale
	groups  groups
}

var measures = map[string]struct {
	run func(*bench, context.Context) error
	n   int
}{
	"setup":       {func(*bench, context.Context) error { return nil }, 0},
	"propagation": {(*bench).propagation, 300},
	"attached":    {(*bench).attached, 1000},
	"change":      {(*bench).change, 50},
	"scale":       {(*bench).scale, 5000},
	"endpoints":   {(*bench).endpoints, 10},
	"clean":       {(*bench).clean, 0},
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == sleeperCommand {
		fmt.Fprintln(os.Stderr, "bench", sleeperCommand+":", sleeper(os.Args[2]))
		os.Exit(1)
	}
	b := &bench{}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&b.class, "class", "", "the GatewayClass, needed to create the Gateway")
	flags.IntVar(&b.n, "n", 0, "how many routes (propagation 300, attached 1000, scale 5000), edits (50), replacements (10)")
	flags.DurationVar(&b.poll, "poll", time.Millisecond, "pause between two requests that wait for a change")
	flags.IntVar(&b.load.connections, "connections", 8, "keep-alive connections of the load (change, endpoints)")
	flags.IntVar(&b.load.rate, "rate", 400, "requests a second of the load")
	flags.DurationVar(&b.grace, "grace", 0, "endpoints: how long a pod still serves after its deletion (preStop sleep)")
	flags.DurationVar(&b.watched, "time", time.Minute, "scale: how long to edit one route a second")
	flags.BoolVar(&b.oneHost, "one-host", false, "scale: all routes on one host name, told apart by path")
	flags.BoolVar(&b.compare, "watch", false, "propagation, change: also how much of it passed before a watch of ours had the route, which is the API server's part, and without what the machine held up")
	flags.Var(&b.groups, "pids", "NAME=PID[,PID...]: account these processes and their children as NAME; repeatable")
	flags.Usage = func() { fmt.Fprintln(os.Stderr, usage); flags.PrintDefaults() }
	if len(os.Args) < 2 || measures[os.Args[1]].run == nil {
		flags.Usage()
		os.Exit(2)
	}
	measure := measures[os.Args[1]]
	_ = flags.Parse(os.Args[2:])
	if b.n == 0 {
		b.n = measure.n
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.start(ctx, os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func (b *bench) start(ctx context.Context, measure string) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	config.QPS = -1 // no limit
	config.UserAgent = "bench"
	if b.kube, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if b.objects, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	if measure != "clean" {
		if err := b.setUp(ctx); err != nil {
			return err
		}
	}
	return measures[measure].run(b, ctx)
}

// durations are samples; their figures are milliseconds.
type durations []time.Duration

func (d durations) quantile(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func ms(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) }

// row prints one line of a table.
func row(cells ...any) {
	var line strings.Builder
	line.WriteString("|")
	for _, cell := range cells {
		fmt.Fprintf(&line, " %v |", cell)
	}
	fmt.Println(line.String())
}

// header prints a table's first two lines.
func header(cells ...any) {
	fmt.Println()
	row(cells...)
	fmt.Println("|" + strings.Repeat("---|", len(cells)))
}

// tally counts things by kind.
type tally map[string]int

func (t tally) String() string {
	if len(t) == 0 {
		return "none"
	}
	var parts []string
	for _, kind := range slices.Sorted(keys(t)) {
		parts = append(parts, fmt.Sprintf("%d %s", t[kind], kind))
	}
	return strings.Join(parts, ", ")
}

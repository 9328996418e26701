// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// group is a set of processes and all their descendants, with a name.
type group struct {
	name string
	pids []int
}

// groups is what -pids gives.
type groups []group

func (g *groups) String() string { return "" }

func (g *groups) Set(value string) error {
	name, list, found := strings.Cut(value, "=")
	if !found {
		return fmt.Errorf("want NAME=PID[,PID...]")
	}
	next := group{name: name}
	for field := range strings.SplitSeq(list, ",") {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return err
		}
		next.pids = append(next.pids, pid)
	}
	*g = append(*g, next)
	return nil
}

// processUsage is the processes' CPU time since they began, their memory now, and the
// most they ever had.
type processUsage struct {
	cpu       time.Duration
	rss, peak int // KiB
}

const tick = 10 * time.Millisecond // USER_HZ

// usage reads /proc. A group's sum leaves out processes that have ended.
func (g groups) usage() map[string]processUsage {
	type process struct {
		parent int
		usage  processUsage
	}
	processes := map[int]process{}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue
		}
		status, _ := os.ReadFile("/proc/" + entry.Name() + "/status")
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		number := func(i int) int { n, _ := strconv.Atoi(fields[i]); return n }
		p := process{parent: number(1)}
		p.usage.cpu = time.Duration(number(11)+number(12)) * tick
		for line := range strings.Lines(string(status)) {
			name, value, _ := strings.Cut(line, ":")
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			switch name {
			case "VmRSS":
				p.usage.rss = n
			case "VmHWM":
				p.usage.peak = n
			}
		}
		processes[pid] = p
	}
	sums := map[string]processUsage{}
	for _, group := range g {
		var sum processUsage
		for pid, p := range processes {
			member := false
			for up := pid; up > 1 && !member; up = processes[up].parent {
				member = slices.Contains(group.pids, up)
			}
			if member {
				sum.cpu += p.usage.cpu
				sum.rss += p.usage.rss
				sum.peak += p.usage.peak
			}
		}
		sums[group.name] = sum
	}
	return sums
}

// report prints what the processes used between two looks.
func (g groups) report(what string, before, after map[string]processUsage, took time.Duration) {
	if len(g) == 0 {
		return
	}
	header(what, "CPU s", "cores", "RSS MiB", "peak RSS MiB")
	for _, group := range g {
		b, a := before[group.name], after[group.name]
		cpu := a.cpu - b.cpu
		row(group.name, seconds(cpu), strconv.FormatFloat(cpu.Seconds()/took.Seconds(), 'f', 3, 64), a.rss>>10, a.peak>>10)
	}
}

// apiRequests is how many requests the API server has had, by verb and resource.
func (b *bench) apiRequests(ctx context.Context) (tally, error) {
	text, err := b.kube.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	requests := tally{}
	for line := range strings.Lines(string(text)) {
		rest, found := strings.CutPrefix(line, "apiserver_request_total{")
		if !found {
			continue
		}
		labels, value, _ := strings.Cut(rest, "} ")
		get := func(name string) string {
			_, tail, found := strings.Cut(","+labels, ","+name+`="`)
			if !found {
				return ""
			}
			text, _, _ := strings.Cut(tail, `"`)
			return text
		}
		if get("verb") == "WATCH" { // counted when it ends
			continue
		}
		name := get("verb") + " " + get("resource")
		if sub := get("subresource"); sub != "" {
			name += "/" + sub
		}
		n, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
		requests[name] += int(n)
	}
	return requests, nil
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// versions notes when each version of a route was first seen, and what every
// connection of the load saw last.
type versions struct {
	mu    sync.Mutex
	first map[string]time.Time
	last  []string
}

func (v *versions) observe(worker int, a answer, at time.Time) {
	if a.wrong != "" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, seen := v.first[a.version]; !seen {
		v.first[a.version] = at
	}
	v.last[worker] = a.version
}

func (v *versions) everywhere(version string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, last := range v.last {
		if last != version {
			return false
		}
	}
	return true
}

// versionOf is the n-th form of the route: other services, ports and filters.
func versionOf(n int) route {
	return route{
		namespace: namespace, name: "change", version: strconv.Itoa(n),
		service: []string{"echo-a", "echo-b"}[n&1], port: 80 + n>>1&1, noRequestFilter: n>>2&1 == 1,
	}
}

// change edits a route under load. Every edit sets the response's version, and
// flips the service, every other the port, every fourth a filter. One more
// connection asks as often as the other measures do: the load alone would see
// a change half of its interval late.
func (b *bench) change(ctx context.Context) error {
	if err := b.noRoutes(ctx); err != nil {
		return err
	}
	if err := b.create(ctx, versionOf(0).object()); err != nil {
		return err
	}
	if _, err := b.awaitRight(ctx, versionOf(0), time.Now(), tally{}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen, err := b.arrivals(ctx)
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	v := &versions{first: map[string]time.Time{}, last: make([]string, b.load.connections+1)}
	wrongService := 0
	observe := func(worker int, a answer, at time.Time) {
		v.observe(worker, a, at)
		if n, err := strconv.Atoi(a.version); a.wrong == "" && (err != nil || !versionOf(n).right(a)) {
			v.mu.Lock()
			wrongService++
			v.mu.Unlock()
		}
	}
	load := b.startLoad("change", b.load, versionOf(0), observe)
	probe := b.startLoad("probe", loadOptions{connections: 1, rate: int(time.Second / b.poll)}, versionOf(0), func(_ int, a answer, at time.Time) {
		observe(b.load.connections, a, at)
	})
	finish := func() {
		load.finish()
		probe.finish()
	}
	time.Sleep(time.Second)
	var first, all durations
	for n := 1; n <= b.n; n++ {
		r := versionOf(n)
		since, err := b.edit(ctx, r)
		if err != nil {
			return err
		}
		if err := until(ctx, never, time.Millisecond, "version "+r.version, func() (bool, error) {
			return v.everywhere(r.version), nil
		}); err != nil {
			finish()
			report(load, probe)
			return err
		}
		all = append(all, time.Since(since))
		v.mu.Lock()
		took := v.first[r.version].Sub(since)
		v.mu.Unlock()
		first = append(first, max(0, took))
		seen.took(r.name, int64(n)+1, since, took) // created with the first
		time.Sleep(500 * time.Millisecond)
	}
	finish()
	header(strconv.Itoa(b.n)+" edits", "p50 ms", "p90 ms", "max ms")
	row("first answer by the new version", ms(first.quantile(.5)), ms(first.quantile(.9)), ms(first.quantile(1)))
	row("new version on every connection", ms(all.quantile(.5)), ms(all.quantile(.9)), ms(all.quantile(1)))
	seen.report()
	report(load, probe)
	fmt.Printf("\n%d of the right answers had one version's header and another's backend.\n", wrongService)
	return b.noRoutes(ctx)
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// arrivals notes when a watch of our own had each route, as an implementation
// can't have it before, and when the machine stood still. Nil: nobody asked
// for it (-watch).
type arrivals struct {
	stalls *stalls
	mu     sync.Mutex
	first  map[version]time.Time
	served []served
}

// A version of a route, by its generation.
type version struct {
	name       string
	generation int64
}

type served struct {
	version
	made, right time.Time
}

// arrivals watches until ctx ends.
func (b *bench) arrivals(ctx context.Context) (*arrivals, error) {
	if !b.compare {
		return nil, nil
	}
	stalls, err := watchStalls(ctx)
	if err != nil {
		return nil, err
	}
	a := &arrivals{stalls: stalls, first: map[version]time.Time{}}
	_, err = b.watch(ctx, routes, namespace, a.note)
	return a, err
}

func (a *arrivals) note(o *object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := version{o.GetName(), o.GetGeneration()}
	if _, seen := a.first[v]; !seen {
		a.first[v] = time.Now()
	}
}

// took says how long after the API server's answer the first right answer came.
func (a *arrivals) took(name string, generation int64, made time.Time, took time.Duration) {
	if a != nil {
		a.served = append(a.served, served{version{name, generation}, made, made.Add(took)})
	}
}

// report says how long after the API server's answer the watch had each (none,
// if before), how long after the watch came the first right answer, and how
// long all took in which no processor stood still.
func (a *arrivals) report() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var watch, answer, undisturbed durations
	for _, s := range a.served {
		if !a.stalls.during(s.made, s.right) {
			undisturbed = append(undisturbed, s.right.Sub(s.made))
		}
		if first, seen := a.first[s.version]; seen {
			watch = append(watch, max(0, first.Sub(s.made)))
			answer = append(answer, max(0, s.right.Sub(first)))
		}
	}
	if len(a.served) == 0 {
		return
	}
	header("of that", "p50 ms", "p90 ms", "p99 ms", "max ms")
	quantiles := func(what string, took durations) {
		row(what, ms(took.quantile(.5)), ms(took.quantile(.9)), ms(took.quantile(.99)), ms(took.quantile(1)))
	}
	quantiles("until a watch of ours had the route", watch)
	quantiles("from then on", answer)
	from, to := a.served[0].made, a.served[len(a.served)-1].right
	n, sum, err := a.stalls.within(from, to)
	if err != nil {
		fmt.Println(err)
		return
	}
	quantiles(fmt.Sprintf("all of it, the %d during which no processor stood still", len(undisturbed)), undisturbed)
	fmt.Printf("\nin %s s a processor stood still %d times for %s or more, %s ms together\n", seconds(to.Sub(from)), n, stalled, ms(sum))
}

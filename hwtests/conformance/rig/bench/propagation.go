// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	never            = 30 * time.Second // after which a change counts as lost
	patienceOfStatus = 5 * time.Minute
)

// propagation adds one route after the other. Every answer before the first
// right one counts by kind, and so does a wrong one shortly after it.
func (b *bench) propagation(ctx context.Context) error {
	if err := b.noRoutes(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen, err := b.arrivals(ctx)
	if err != nil {
		return err
	}
	header("routes", "p50 ms", "p90 ms", "p99 ms", "max ms", "wrong before", "wrong after")
	var all, hundred durations
	before, after := tally{}, tally{}
	allBefore, allAfter := tally{}, tally{}
	for i := range b.n {
		r := route{namespace: namespace, name: "r" + strconv.Itoa(i), service: "echo-a", port: 80, version: "0"}
		if err := b.create(ctx, r.object()); err != nil {
			return err
		}
		since := time.Now()
		took, err := b.awaitRight(ctx, r, since, before)
		if err != nil {
			return err
		}
		seen.took(r.name, 1, since, took)
		for range 5 {
			if a := b.ask(r); !r.right(a) {
				after[a.kind()]++
			}
		}
		hundred, all = append(hundred, took), append(all, took)
		if len(hundred) == 100 || i == b.n-1 {
			b.quantiles(fmt.Sprintf("%d to %d", i+1-len(hundred), i), hundred, before, after)
			allBefore.add(before)
			allAfter.add(after)
			hundred, before, after = nil, tally{}, tally{}
		}
	}
	b.quantiles("all", all, allBefore, allAfter)
	seen.report()
	return b.noRoutes(ctx)
}

func (b *bench) quantiles(what string, d durations, before, after tally) {
	row(what, ms(d.quantile(.5)), ms(d.quantile(.9)), ms(d.quantile(.99)), ms(d.quantile(1)), before, after)
}

func (t tally) add(other tally) {
	for kind, n := range other {
		t[kind] += n
	}
}

// awaitRight asks until the route answers in this version, and counts the
// answers until then.
func (b *bench) awaitRight(ctx context.Context, r route, since time.Time, wrong tally) (time.Duration, error) {
	return b.awaitRightWith(ctx, r, since, func() time.Duration { return b.poll }, wrong)
}

func (b *bench) awaitRightWith(ctx context.Context, r route, since time.Time, pause func() time.Duration, wrong tally) (time.Duration, error) {
	var took time.Duration
	err := untilWith(ctx, never, pause, "route "+r.name, func() (bool, error) {
		a := b.ask(r)
		if took = time.Since(since); r.right(a) {
			return true, nil
		}
		wrong[a.kind()]++
		return false, nil
	})
	return took, err
}

// noRoutes deletes the measure's routes and gives the implementation time to
// follow; not all count routes rightly.
func (b *bench) noRoutes(ctx context.Context) error {
	if err := b.dropRoutes(ctx); err != nil {
		return err
	}
	if err := b.awaitAttached(ctx, 0, time.Minute); err != nil {
		fmt.Println("after the deletion of all routes:", err)
	}
	return ctx.Err()
}

func (b *bench) awaitAttached(ctx context.Context, n int, limit time.Duration) error {
	return until(ctx, limit, 50*time.Millisecond, fmt.Sprintf("attachedRoutes %d", n), func() (bool, error) {
		gateway, err := b.objects.Resource(gateways).Namespace(namespace).Get(ctx, "bench", metav1.GetOptions{})
		return err == nil && attachedRoutes(gateway) == n, err
	})
}

// attached creates many routes at once, and deletes them.
func (b *bench) attached(ctx context.Context) error {
	if err := b.noRoutes(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := make(chan int, 100000)
	gatewayWrites, err := b.watch(ctx, gateways, namespace, func(o *object) { changes <- attachedRoutes(o) })
	if err != nil {
		return err
	}
	routeWrites, err := b.watch(ctx, routes, namespace, nil)
	if err != nil {
		return err
	}
	header("routes", "API server done s", "attachedRoutes right s", "Gateway status writes", "HTTPRoute status writes",
		"attachedRoutes at the end")
	phase := func(what string, want int, act func() error) error {
		g, r, begin := gatewayWrites.statusWrites(), routeWrites.statusWrites(), time.Now()
		if err := act(); err != nil {
			return err
		}
		acted := time.Since(begin)
		seen, right := -1, "never"
		deadline := time.After(patienceOfStatus)
	wait:
		for seen != want {
			select {
			case seen = <-changes:
			case <-deadline:
				break wait
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if seen == want {
			right = seconds(time.Since(begin))
		}
		time.Sleep(5 * time.Second) // late writes
		for len(changes) > 0 {
			seen = <-changes
		}
		row(what, seconds(acted), right, gatewayWrites.statusWrites()-g, routeWrites.statusWrites()-r, seen)
		return nil
	}
	err = phase(fmt.Sprintf("%d created", b.n), b.n, func() error {
		return inParallel(b.n, func(i int) error {
			r := route{namespace: namespace, name: "r" + strconv.Itoa(i), service: "echo-a", port: 80, version: "0"}
			return b.create(ctx, r.object())
		})
	})
	if err != nil {
		return err
	}
	return phase("all deleted", 0, func() error { return b.dropRoutes(ctx) })
}

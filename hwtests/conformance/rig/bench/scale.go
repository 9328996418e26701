// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	scaleNamespaces = 50
	samples         = 50 // routes that are asked whether they work

	often  = 100 * time.Millisecond // after an edit
	rarely = 50 * time.Millisecond
)

func (b *bench) scaleRoute(i int, version string) route {
	hostname := ""
	if b.oneHost {
		hostname = "scale.example.com"
	}
	return route{
		hostname:  hostname,
		namespace: fmt.Sprintf("bench-%d", i%scaleNamespaces), name: "s" + strconv.Itoa(i),
		service: "echo-" + strconv.Itoa(i), port: 80, version: version,
	}
}

// answered is the route as its answers show it: all Services share the pods.
func (r route) answered() route {
	r.service = "echo-"
	return r
}

// scale makes many routes, each with a Service and an EndpointSlice of its own,
// and then edits one a second.
func (b *bench) scale(ctx context.Context) error {
	if err := b.noRoutes(ctx); err != nil {
		return err
	}
	addresses, err := b.podAddresses(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	gatewayWrites, err := b.watch(ctx, gateways, namespace, nil)
	if err != nil {
		return err
	}
	routeWrites, err := b.watch(ctx, routes, "", nil)
	if err != nil {
		return err
	}

	// Services first: the implementation sees whole routes.
	err = inParallel(scaleNamespaces, func(i int) error {
		return b.create(ctx, &object{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace",
			"metadata": map[string]any{"name": fmt.Sprintf("bench-%d", i), "labels": map[string]any{label: "scale"}}}})
	})
	if err != nil {
		return err
	}
	before, begin := b.groups.usage(), time.Now()
	err = inParallel(b.n, func(i int) error {
		r := b.scaleRoute(i, "0")
		meta := map[string]any{"name": r.service, "namespace": r.namespace,
			"labels": map[string]any{"kubernetes.io/service-name": r.service}}
		if err := b.create(ctx, &object{Object: map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": meta,
			"spec": map[string]any{"ports": []any{map[string]any{"name": "http", "port": int64(80), "targetPort": int64(3000)}}},
		}}); err != nil {
			return err
		}
		return b.create(ctx, &object{Object: map[string]any{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
			"metadata": meta, "addressType": "IPv4",
			"ports": []any{map[string]any{"name": "http", "port": int64(3000), "protocol": "TCP"}},
			"endpoints": []any{map[string]any{"addresses": []any{addresses[i%len(addresses)]},
				"conditions": map[string]any{"ready": true}}},
		}})
	})
	if err != nil {
		return err
	}
	servicesTook, routesBegin := time.Since(begin), time.Now()
	if err := inParallel(b.n, func(i int) error { return b.create(ctx, b.scaleRoute(i, "0").object()) }); err != nil {
		return err
	}
	created := time.Now()
	wrong := tally{}
	var works time.Duration
	for s := range samples { // the last ones first: they are most likely late
		i := b.n - 1 - s*b.n/samples
		if err := until(ctx, 10*time.Minute, 20*time.Millisecond, "route "+strconv.Itoa(i), func() (bool, error) {
			r := b.scaleRoute(i, "0").answered()
			a := b.ask(r)
			if r.right(a) {
				return true, nil
			}
			wrong[a.kind()]++
			return false, nil
		}); err != nil {
			return err
		}
		works = time.Since(created)
	}
	attachedTook := "never"
	if err := b.awaitAttached(ctx, b.n, patienceOfStatus); err == nil {
		attachedTook = seconds(time.Since(created))
	}
	b.groups.report("until all work", before, b.groups.usage(), time.Since(begin))
	quietAt := awaitQuiet(gatewayWrites, routeWrites)
	header("routes", "Services s", "routes s", fmt.Sprintf("%d sampled work, s after the last", samples),
		"attachedRoutes right, s after the last", "last status write, s after the last",
		"Gateway status writes", "HTTPRoute status writes", "wrong before")
	row(b.n, seconds(servicesTook), seconds(created.Sub(routesBegin)), seconds(works), attachedTook,
		seconds(quietAt.Sub(created)), gatewayWrites.statusWrites(), routeWrites.statusWrites(), wrong)
	return b.editOneASecond(ctx, gatewayWrites, routeWrites)
}

// awaitQuiet waits until no status was written for 10 s, and says when the last was.
func awaitQuiet(watchers ...*watcher) time.Time {
	begin, last, seen := time.Now(), time.Now(), 0
	for time.Since(last) < 10*time.Second && time.Since(begin) < patienceOfStatus {
		now := 0
		for _, w := range watchers {
			now += w.statusWrites()
		}
		if now != seen {
			seen, last = now, time.Now()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return last
}

func (b *bench) editOneASecond(ctx context.Context, gatewayWrites, routeWrites *watcher) error {
	quiet := b.groups.usage()
	time.Sleep(10 * time.Second)
	b.groups.report("10 s without changes", quiet, b.groups.usage(), 10*time.Second)

	requests, err := b.apiRequests(ctx)
	if err != nil {
		return err
	}
	before, begin := b.groups.usage(), time.Now()
	g, r := gatewayWrites.statusWrites(), routeWrites.statusWrites()
	var (
		mu    sync.Mutex
		took  durations
		wrong = tally{}
		lost  int
		wait  sync.WaitGroup
		edits int
	)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for ; time.Since(begin) < b.watched; edits++ {
		i, version := rand.IntN(b.n), strconv.Itoa(edits+1)
		since, err := b.edit(ctx, b.scaleRoute(i, version))
		if err != nil {
			return err
		}
		wait.Go(func() {
			counts := tally{}
			d, err := b.awaitEdit(ctx, b.scaleRoute(i, version).answered(), since, counts)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				lost++ // or overtaken by another edit of the same route
			} else {
				took = append(took, d)
			}
			wrong.add(counts)
		})
		<-ticker.C
	}
	elapsed := time.Since(begin)
	after := b.groups.usage()
	wait.Wait()
	now, err := b.apiRequests(ctx)
	if err != nil {
		return err
	}
	b.groups.report("one edit a second", before, after, elapsed)
	header("edits", "p50 ms", "p90 ms", "p99 ms", "max ms", "not seen in 30 s", "answers until then",
		"Gateway status writes", "HTTPRoute status writes")
	row(edits, ms(took.quantile(.5)), ms(took.quantile(.9)), ms(took.quantile(.99)), ms(took.quantile(1)), lost, wrong,
		gatewayWrites.statusWrites()-g, routeWrites.statusWrites()-r)
	for name := range requests {
		now[name] -= requests[name]
	}
	header("API requests of all clients, this one too", "number")
	most := slices.SortedFunc(keys(now), func(a, b string) int { return now[b] - now[a] })
	for _, name := range most[:min(len(most), 12)] {
		if now[name] >= 5 {
			row(name, now[name])
		}
	}
	return nil
}

// awaitEdit asks often at first. Later many may wait at once, and asking less
// often keeps the load small.
func (b *bench) awaitEdit(ctx context.Context, r route, since time.Time, wrong tally) (time.Duration, error) {
	return b.awaitRightWith(ctx, r, since, func() time.Duration {
		if time.Since(since) < often {
			return b.poll
		}
		return max(b.poll, rarely)
	}, wrong)
}

// podAddresses are the addresses of the backends' pods.
func (b *bench) podAddresses(ctx context.Context) ([]any, error) {
	list, err := b.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app in (echo-a,echo-b)"})
	if err != nil {
		return nil, err
	}
	var addresses []any
	for _, pod := range list.Items {
		if pod.Status.PodIP != "" && pod.DeletionTimestamp == nil {
			addresses = append(addresses, pod.Status.PodIP)
		}
	}
	return addresses, nil
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// rollout notes what happened when to one Deployment's pods.
type rollout struct {
	mu      sync.Mutex
	ready   map[string]time.Time // EndpointSlice: pod is ready
	ending  map[string]time.Time // EndpointSlice: pod is not ready any more
	first   map[string]time.Time // first answer
	last    map[string]time.Time // last answer
	failure time.Time            // last wrong answer
}

func (o *rollout) answered(_ int, a answer, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a.wrong != "" {
		o.failure = at
		return
	}
	if _, seen := o.first[a.pod]; !seen {
		o.first[a.pod] = at
	}
	o.last[a.pod] = at
}

func (o *rollout) slice(s *object) {
	if s.GetLabels()["kubernetes.io/service-name"] != "echo-a" {
		return
	}
	now := time.Now()
	endpoints, _, _ := unstructured.NestedSlice(s.Object, "endpoints")
	ready := map[string]bool{}
	for _, endpoint := range endpoints {
		e := endpoint.(map[string]any)
		pod, _, _ := unstructured.NestedString(e, "targetRef", "name")
		ready[pod], _, _ = unstructured.NestedBool(e, "conditions", "ready")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for pod := range ready {
		if _, known := o.ready[pod]; ready[pod] && !known {
			o.ready[pod] = now
		}
	}
	for pod := range o.ready {
		if _, known := o.ending[pod]; !ready[pod] && !known {
			o.ending[pod] = now
		}
	}
}

// endpoints replaces the pod of a Deployment under load, again and again: the
// new pod is ready before the old one is deleted.
func (b *bench) endpoints(ctx context.Context) error {
	if err := b.noRoutes(ctx); err != nil {
		return err
	}
	r := route{namespace: namespace, name: "endpoints", service: "echo-a", port: 80, version: "0"}
	if err := b.create(ctx, r.object()); err != nil {
		return err
	}
	if _, err := b.awaitRight(ctx, r, time.Now(), tally{}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := &rollout{ready: map[string]time.Time{}, ending: map[string]time.Time{},
		first: map[string]time.Time{}, last: map[string]time.Time{}}
	if _, err := b.watch(ctx, endpointSlices, namespace, o.slice); err != nil {
		return err
	}
	if err := b.replacePod(ctx); err != nil { // sets the grace
		return err
	}
	load := b.startLoad("endpoints", b.load, r, o.answered)
	// Requests over new connections as well: the load's may all wait for a dead pod.
	fresh, stopFresh := b.startFresh(r, o)
	time.Sleep(time.Second)
	var first, last durations
	for range b.n {
		old, err := b.onlyPod(ctx)
		if err != nil {
			return err
		}
		if err := b.replacePod(ctx); err != nil {
			return err
		}
		pod, err := b.onlyPod(ctx)
		if err != nil {
			return err
		}
		if err := until(ctx, never, 5*time.Millisecond, "an answer of pod "+pod, func() (bool, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			return !o.first[pod].IsZero(), nil
		}); err != nil {
			load.finish()
			report(load)
			return err
		}
		time.Sleep(b.grace + 2*time.Second)
		o.mu.Lock()
		first = append(first, max(0, o.first[pod].Sub(o.ready[pod])))
		last = append(last, max(0, o.last[old].Sub(o.ending[old]), o.failure.Sub(o.ending[old])))
		o.mu.Unlock()
	}
	load.finish()
	stopFresh()
	header(fmt.Sprintf("%d replacements, pods serve %s after deletion", b.n, b.grace), "p50 ms", "max ms")
	row("new endpoint ready to its first answer", ms(first.quantile(.5)), ms(first.quantile(1)))
	row("old endpoint not ready to its last answer or error", ms(last.quantile(.5)), ms(last.quantile(1)))
	report(load)
	fmt.Printf("\nWrong answers over new connections, 50 a second: %s.\n", fresh)
	return b.noRoutes(ctx)
}

// startFresh sends requests over new connections, whatever becomes of the
// earlier ones, until stop is called. Then the wrong answers are counted.
func (b *bench) startFresh(r route, o *rollout) (wrong tally, stop func()) {
	wrong = tally{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	ticker := time.NewTicker(20 * time.Millisecond)
	wait.Go(func() {
		defer ticker.Stop()
		for ctx.Err() == nil {
			wait.Go(func() {
				a := b.ask(r)
				o.answered(0, a, time.Now())
				mu.Lock()
				defer mu.Unlock()
				if a.wrong != "" {
					wrong[a.wrong]++
				}
			})
			<-ticker.C
		}
	})
	return wrong, func() {
		cancel()
		wait.Wait()
	}
}

// replacePod rolls the Deployment echo-a out, and waits until it is done.
func (b *bench) replacePod(ctx context.Context) error {
	lifecycle := "null"
	if b.grace > 0 {
		lifecycle = fmt.Sprintf(`{"preStop":{"sleep":{"seconds":%d}}}`, int(b.grace.Seconds()))
	}
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"version":%q}},
		"spec":{"containers":[{"name":"echo","lifecycle":%s}]}}}}`, time.Now().String(), lifecycle)
	d, err := b.kube.AppsV1().Deployments(namespace).Patch(ctx, "echo-a", types.StrategicMergePatchType,
		[]byte(patch), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	generation := d.Generation
	return until(ctx, time.Minute, 20*time.Millisecond, "the new pod", func() (bool, error) {
		d, err := b.kube.AppsV1().Deployments(namespace).Get(ctx, "echo-a", metav1.GetOptions{})
		s := d.Status
		return err == nil && s.ObservedGeneration >= generation && s.UpdatedReplicas == 1 && s.ReadyReplicas == 1 &&
			s.Replicas == 1, err
	})
}

// onlyPod is the Deployment's pod that is not being deleted.
func (b *bench) onlyPod(ctx context.Context) (string, error) {
	list, err := b.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=echo-a"})
	if err != nil {
		return "", err
	}
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			return pod.Name, nil
		}
	}
	return "", fmt.Errorf("no pod")
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/yaml"
)

const (
	namespace = "bench"
	label     = "conformance-rig/bench" // on every route and namespace that a measure makes
	workers   = 16                      // requests to the API server at once
)

var (
	namespaces     = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	services       = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	deployments    = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	endpointSlices = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
	gateways       = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}
	routes         = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

	resourceOf = map[string]schema.GroupVersionResource{
		"Namespace": namespaces, "Service": services, "Deployment": deployments, "EndpointSlice": endpointSlices,
		"Gateway": gateways, "HTTPRoute": routes,
	}
)

type object = unstructured.Unstructured

func keys[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }

// create makes an object unless it exists.
func (b *bench) create(ctx context.Context, o *object) error {
	_, err := b.objects.Resource(resourceOf[o.GetKind()]).Namespace(o.GetNamespace()).Create(ctx, o, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// inParallel calls f(0) to f(n-1), some at once.
func inParallel(n int, f func(int) error) error {
	var wait sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wait.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = f(i)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// until polls until done.
func until(ctx context.Context, limit, pause time.Duration, what string, done func() (bool, error)) error {
	return untilWith(ctx, limit, func() time.Duration { return pause }, what, done)
}

func untilWith(ctx context.Context, limit time.Duration, pause func() time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s: not after %s", what, limit))
	defer cancel()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause()):
		}
	}
}

//go:embed base.yaml
var base string

// setUp creates the Gateway and the backends, and waits until they are ready.
func (b *bench) setUp(ctx context.Context) error {
	for document := range strings.SplitSeq(base, "\n---\n") {
		o := &object{}
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			return err
		}
		if o.GetKind() == "Gateway" {
			if _, err := b.objects.Resource(gateways).Namespace(namespace).Get(ctx, o.GetName(), metav1.GetOptions{}); err == nil {
				continue
			}
			if b.class == "" {
				return errors.New("there is no Gateway yet: -class is needed")
			}
			_ = unstructured.SetNestedField(o.Object, b.class, "spec", "gatewayClassName")
		}
		if err := b.create(ctx, o); err != nil {
			return err
		}
	}
	for _, name := range []string{"echo-a", "echo-b"} {
		if err := until(ctx, time.Minute, 100*time.Millisecond, name, func() (bool, error) {
			d, err := b.kube.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
			return err == nil && d.Status.ReadyReplicas == 1, err
		}); err != nil {
			return err
		}
	}
	return until(ctx, time.Minute, 100*time.Millisecond, "the Gateway's address", func() (bool, error) {
		gateway, err := b.objects.Resource(gateways).Namespace(namespace).Get(ctx, "bench", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		addresses, _, _ := unstructured.NestedSlice(gateway.Object, "status", "addresses")
		if len(addresses) == 0 || !condition(gateway, "Programmed") {
			return false, nil
		}
		value, _, _ := unstructured.NestedString(addresses[0].(map[string]any), "value")
		b.address = net.JoinHostPort(value, "80")
		return true, nil
	})
}

func condition(o *object, kind string) bool {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == kind {
			return c["status"] == "True"
		}
	}
	return false
}

// attachedRoutes is what the Gateway's one listener counts.
func attachedRoutes(gateway *object) int {
	listeners, _, _ := unstructured.NestedSlice(gateway.Object, "status", "listeners")
	if len(listeners) == 0 {
		return 0
	}
	n, _, _ := unstructured.NestedInt64(listeners[0].(map[string]any), "attachedRoutes")
	return int(n)
}

// clean deletes what the measures made, and waits.
func (b *bench) clean(ctx context.Context) error {
	if err := b.dropRoutes(ctx); err != nil {
		return err
	}
	if err := b.dropNamespaces(ctx); err != nil {
		return err
	}
	if err := b.objects.Resource(namespaces).Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return until(ctx, 5*time.Minute, 200*time.Millisecond, "namespace "+namespace, func() (bool, error) {
		_, err := b.objects.Resource(namespaces).Get(ctx, namespace, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

// dropRoutes deletes the routes of the namespace bench.
func (b *bench) dropRoutes(ctx context.Context) error {
	return b.objects.Resource(routes).Namespace(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
}

// dropNamespaces deletes the namespaces of the measure scale.
func (b *bench) dropNamespaces(ctx context.Context) error {
	list, err := b.objects.Resource(namespaces).List(ctx, metav1.ListOptions{LabelSelector: label})
	if err != nil {
		return err
	}
	return inParallel(len(list.Items), func(i int) error {
		return b.objects.Resource(namespaces).Delete(ctx, list.Items[i].GetName(), metav1.DeleteOptions{})
	})
}

// route is an HTTPRoute with one rule. A right response names its version.
type route struct {
	namespace, name string
	hostname        string // "": one of its own
	service         string
	port            int
	version         string
	noRequestFilter bool
}

func (r route) host() string {
	if r.hostname != "" {
		return r.hostname
	}
	return r.name + ".example.com"
}

func (r route) path() string { return "/" + r.name }

func (r route) spec() map[string]any {
	set := func(kind, header string) any {
		field := strings.ToLower(kind[:1]) + kind[1:]
		return map[string]any{"type": kind, field: map[string]any{
			"set": []any{map[string]any{"name": header, "value": r.version}}}}
	}
	filters := []any{set("ResponseHeaderModifier", versionHeader)}
	if !r.noRequestFilter {
		filters = append(filters, set("RequestHeaderModifier", versionHeader))
	}
	return map[string]any{
		"parentRefs": []any{map[string]any{"name": "bench", "namespace": namespace}},
		"hostnames":  []any{r.host()},
		"rules": []any{map[string]any{
			"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": r.path()}}},
			"filters":     filters,
			"backendRefs": []any{map[string]any{"name": r.service, "port": int64(r.port)}},
		}},
	}
}

func (r route) object() *object {
	return &object{Object: map[string]any{
		"apiVersion": routes.GroupVersion().String(), "kind": "HTTPRoute",
		"metadata": map[string]any{"name": r.name, "namespace": r.namespace},
		"spec":     r.spec(),
	}}
}

// edit replaces a route's spec and returns when the API server has it.
func (b *bench) edit(ctx context.Context, r route) (time.Time, error) {
	patch, err := (&object{Object: map[string]any{
		"apiVersion": routes.GroupVersion().String(), "kind": "HTTPRoute", "spec": r.spec()}}).MarshalJSON()
	if err != nil {
		return time.Time{}, err
	}
	_, err = b.objects.Resource(routes).Namespace(r.namespace).Patch(ctx, r.name, types.MergePatchType, patch, metav1.PatchOptions{})
	return time.Now(), err
}

// watcher follows the objects of a kind. A change that leaves the generation
// as it was is a write of status (or metadata).
type watcher struct {
	mu          sync.Mutex
	generations map[types.UID]int64
	writes      int
}

func (w *watcher) statusWrites() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}

// watch calls event for every change until ctx ends.
func (b *bench) watch(ctx context.Context, resource schema.GroupVersionResource, ns string, event func(*object)) (*watcher, error) {
	client := b.objects.Resource(resource).Namespace(ns)
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	w := &watcher{generations: map[types.UID]int64{}}
	for _, o := range list.Items {
		w.generations[o.GetUID()] = o.GetGeneration()
	}
	at := list.GetResourceVersion()
	events, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: at})
	if err != nil {
		return nil, err
	}
	take := func(e watch.Event) bool {
		o, ok := e.Object.(*object)
		if !ok || o.GetUID() == "" {
			fmt.Printf("a watch of %s failed: %v\n", resource.Resource, e.Object)
			return false
		}
		at = o.GetResourceVersion()
		w.mu.Lock()
		if e.Type == "MODIFIED" && w.generations[o.GetUID()] == o.GetGeneration() {
			w.writes++
		}
		w.generations[o.GetUID()] = o.GetGeneration()
		w.mu.Unlock()
		if event != nil {
			event(o)
		}
		return true
	}
	go func() {
		for {
			for e := range events.ResultChan() {
				if ctx.Err() != nil || !take(e) {
					return
				}
			}
			if ctx.Err() != nil {
				return
			}
			// The server ends a watch when it likes, above all soon after its CRDs came.
			time.Sleep(10 * time.Millisecond)
			if events, err = client.Watch(ctx, metav1.ListOptions{ResourceVersion: at}); err != nil {
				fmt.Printf("a watch of %s could not go on: %v\n", resource.Resource, err)
				return
			}
		}
	}()
	return w, nil
}

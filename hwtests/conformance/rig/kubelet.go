// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const (
	nodeName    = "rig"
	kubeletPort = 10250
)

// kubelet is scheduler, container runtime and kubelet of the one node: it binds
// every pod to the node, and runs those of the suite until they are deleted.
type kubelet struct {
	options
	client kubernetes.Interface
	lastIP atomic.Int32

	mu   sync.Mutex
	pods map[types.UID]*pod
}

func runKubelet(ctx context.Context, o options) error {
	config, err := restConfig(o)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	k := &kubelet{options: o, client: client, pods: map[types.UID]*pod{}}
	k.lastIP.Store(1) // the bridge has .1

	server, err := k.logServer()
	if err != nil {
		return err
	}
	go func() {
		log.Fatal(server.ListenAndServeTLS(o.path("key", "kubelet.crt"), o.path("key", "kubelet.key")))
	}()

	if err := k.register(ctx); err != nil {
		return err
	}
	go k.renewLease(ctx)

	factory := informers.NewSharedInformerFactory(client, 0)
	informer := factory.Core().V1().Pods().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.sync(ctx, object.(*corev1.Pod)) },
		UpdateFunc: func(_, object any) { k.sync(ctx, object.(*corev1.Pod)) },
		DeleteFunc: func(object any) {
			if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}
			if gone, ok := object.(*corev1.Pod); ok {
				k.stop(gone.UID)
			}
		},
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	<-ctx.Done()

	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pods {
		p.cancel()
		<-p.done
	}
	return nil
}

// register creates the Node, ready for everything.
func (k *kubelet) register(ctx context.Context) error {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("64"),
		corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods:   resource.MustParse("1000"),
	}
	now := metav1.Now()
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName, Labels: map[string]string{
			corev1.LabelHostname: nodeName, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
		}},
		Spec: corev1.NodeSpec{PodCIDR: "10.244.0.0/16", PodCIDRs: []string{"10.244.0.0/16"}},
	}
	created, err := k.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	created.Status = corev1.NodeStatus{
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: nodeIP}},
		Capacity:        capacity,
		Allocatable:     capacity,
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: kubeletPort}},
		NodeInfo:        corev1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64", KubeletVersion: "rig"},
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "RigReady",
			LastHeartbeatTime: now, LastTransitionTime: now,
		}},
	}
	_, err = k.client.CoreV1().Nodes().UpdateStatus(ctx, created, metav1.UpdateOptions{})
	return err
}

func (k *kubelet) renewLease(ctx context.Context) {
	for ; ctx.Err() == nil; time.Sleep(10 * time.Second) {
		if err := k.renewLeaseOnce(ctx); err != nil && ctx.Err() == nil {
			log.Printf("lease: %v", err)
		}
	}
}

func (k *kubelet) renewLeaseOnce(ctx context.Context) error {
	leases := k.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	now, seconds, holder := metav1.NowMicro(), int32(40), nodeName
	spec := coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &now}
	lease, err := leases.Get(ctx, nodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: nodeName}, Spec: spec}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	lease.Spec = spec // an update without its resourceVersion is refused
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

// sync takes a pod one step further. Every step causes the event for the next.
func (k *kubelet) sync(ctx context.Context, object *corev1.Pod) {
	if object.DeletionTimestamp != nil {
		go k.finish(ctx, object)
		return
	}
	if object.Spec.NodeName == "" {
		go k.bind(ctx, object)
		return
	}
	if object.Spec.NodeName != nodeName || !runnable(object) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pods[object.UID] == nil {
		p := newPod(ctx, k, object.DeepCopy())
		k.pods[object.UID] = p
		go p.run()
	}
}

func (k *kubelet) bind(ctx context.Context, object *corev1.Pod) {
	err := k.client.CoreV1().Pods(object.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: object.Name, UID: object.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: nodeName},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		log.Printf("bind %s/%s: %v", object.Namespace, object.Name, err)
	}
}

// stop ends a pod's processes and waits for them.
func (k *kubelet) stop(uid types.UID) {
	k.mu.Lock()
	p := k.pods[uid]
	delete(k.pods, uid)
	k.mu.Unlock()
	if p != nil {
		p.cancel()
		<-p.done
	}
}

func (k *kubelet) finish(ctx context.Context, object *corev1.Pod) {
	select {
	case <-time.After(preStop(object)):
	case <-ctx.Done():
	}
	k.stop(object.UID)
	now := int64(0)
	err := k.client.CoreV1().Pods(object.Namespace).Delete(ctx, object.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &object.UID}})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		log.Printf("delete %s/%s: %v", object.Namespace, object.Name, err)
	}
}

// preStop is how long a deleted pod goes on before its containers are ended.
func preStop(object *corev1.Pod) time.Duration {
	var longest time.Duration
	for _, c := range object.Spec.Containers {
		if c.Lifecycle != nil && c.Lifecycle.PreStop != nil && c.Lifecycle.PreStop.Sleep != nil {
			longest = max(longest, time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second)
		}
	}
	return longest
}

func (k *kubelet) setStatus(ctx context.Context, object *corev1.Pod, status corev1.PodStatus) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": object.UID}, // never another pod with this name
		"status":   status,
	})
	if err != nil {
		return err
	}
	_, err = k.client.CoreV1().Pods(object.Namespace).Patch(ctx, object.Name, types.MergePatchType, patch,
		metav1.PatchOptions{}, "status")
	return err
}

// volumeFiles reads a volume's files, by path.
func (k *kubelet) volumeFiles(ctx context.Context, namespace string, volume corev1.Volume) (map[string][]byte, error) {
	var data map[string][]byte
	var items []corev1.KeyToPath
	switch {
	case volume.Secret != nil:
		secret, err := k.client.CoreV1().Secrets(namespace).Get(ctx, volume.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		data, items = secret.Data, volume.Secret.Items
	case volume.ConfigMap != nil:
		cm, err := k.client.CoreV1().ConfigMaps(namespace).Get(ctx, volume.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		data, items = map[string][]byte{}, volume.ConfigMap.Items
		for key, value := range cm.Data {
			data[key] = []byte(value)
		}
		for key, value := range cm.BinaryData {
			data[key] = value
		}
	case volume.EmptyDir != nil:
		return nil, nil
	default:
		return nil, fmt.Errorf("volume %s: only Secret, ConfigMap and emptyDir are supported", volume.Name)
	}
	if len(items) == 0 {
		return data, nil
	}
	files := map[string][]byte{}
	for _, item := range items {
		content, ok := data[item.Key]
		if !ok {
			return nil, fmt.Errorf("volume %s: no key %s", volume.Name, item.Key)
		}
		files[item.Path] = content
	}
	return files, nil
}

// logServer serves what 'kubectl logs' asks of a kubelet.
func (k *kubelet) logServer() (*http.Server, error) {
	ca, err := os.ReadFile(k.path("key", "ca.crt"))
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(ca) {
		return nil, errors.New("no certificate in ca.crt")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.serveLog)
	return &http.Server{
		Addr:      fmt.Sprintf("%s:%d", nodeIP, kubeletPort),
		Handler:   mux,
		TLSConfig: &tls.Config{ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert},
	}, nil
}

func (k *kubelet) serveLog(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	var found *containerLog
	for _, p := range k.pods {
		if p.object.Namespace == r.PathValue("namespace") && p.object.Name == r.PathValue("pod") {
			found = p.logs[r.PathValue("container")]
		}
	}
	k.mu.Unlock()
	if found == nil {
		http.Error(w, "no such container", http.StatusNotFound)
		return
	}
	query := r.URL.Query()
	var since time.Time
	if value := query.Get("sinceTime"); value != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, value); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	if value := query.Get("sinceSeconds"); value != "" {
		age, err := time.ParseDuration(value + "s")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		since = time.Now().Add(-age)
	}
	w.Header().Set("Content-Type", "text/plain")
	timestamps, follow := query.Get("timestamps") == "true", query.Get("follow") == "true"
	for next := 0; ; time.Sleep(200 * time.Millisecond) {
		var lines []logLine
		lines, next = found.from(next)
		var text strings.Builder
		for _, line := range lines {
			if line.at.Before(since) {
				continue
			}
			if timestamps {
				text.WriteString(line.at.UTC().Format(time.RFC3339Nano) + " ")
			}
			text.WriteString(line.text + "\n")
		}
		if _, err := w.Write([]byte(text.String())); err != nil || !follow || r.Context().Err() != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

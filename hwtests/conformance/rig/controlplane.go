// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"
)

const (
	serviceCIDR      = "10.96.0.0/16"
	serviceCIDRFirst = "10.96.0.1"
)

// controllers are the ones the suite's objects need: Deployments become pods,
// Services become EndpointSlices, and deleted namespaces and owners clean up.
var controllers = []string{
	"deployment-controller", "replicaset-controller", "daemonset-controller",
	"endpointslice-controller", "namespace-controller", "garbage-collector-controller",
	"serviceaccount-controller", "root-ca-certificate-publisher-controller",
}

func up(ctx context.Context, o options) error {
	begin := time.Now()
	if os.Getenv("GWRIG_NETNS") == "" {
		if left := rigNamespaces(); len(left) > 0 {
			return fmt.Errorf("namespaces %v exist: run 'down' first", left)
		}
		if err := setUpNetwork(); err != nil {
			return err
		}
		for _, dir := range []string{"log", "pid", "pod"} {
			if err := os.MkdirAll(o.path(dir), 0o755); err != nil {
				return err
			}
		}
		if err := writeKeys(o.path("key")); err != nil {
			return err
		}
		if err := writeKubeconfig(o); err != nil {
			return err
		}
	}
	if err := reexecIn(nsControl); err != nil {
		return err
	}

	if err := startControlPlane(o); err != nil {
		return err
	}
	config, err := restConfig(o)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	err = poll(ctx, time.Minute, "kube-apiserver", func() error {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if err := installCRDs(ctx, config, o.crds); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := spawn(o, nsNode, self, "kubelet", "-state", o.state, "-echo", o.echo); err != nil {
		return err
	}
	err = poll(ctx, 30*time.Second, "node", func() error {
		_, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		return err
	})
	if err != nil {
		return err
	}
	// The controller manager works once it has given a namespace its account.
	err = poll(ctx, time.Minute, "kube-controller-manager", func() error {
		_, err := client.CoreV1().ServiceAccounts(corev1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("ready after %.1f s, KUBECONFIG=%s\n", time.Since(begin).Seconds(), o.path("kubeconfig"))
	return nil
}

func startControlPlane(o options) error {
	key := func(name string) string { return o.path("key", name) }
	if err := spawn(o, nsControl, filepath.Join(o.bin, "etcd"),
		"--data-dir="+o.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380"); err != nil {
		return err
	}
	if err := spawn(o, nsControl, filepath.Join(o.bin, "kube-apiserver"),
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address="+controlIP, "--advertise-address="+controlIP, "--secure-port=6443",
		"--tls-cert-file="+key("apiserver.crt"), "--tls-private-key-file="+key("apiserver.key"),
		"--client-ca-file="+key("ca.crt"), "--anonymous-auth=false", "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+key("service-account.crt"),
		"--service-account-signing-key-file="+key("service-account.key"),
		"--service-cluster-ip-range="+serviceCIDR,
		"--kubelet-certificate-authority="+key("ca.crt"),
		"--kubelet-client-certificate="+key("kubelet-client.crt"),
		"--kubelet-client-key="+key("kubelet-client.key"),
		// Pods get no API token: none of the backends calls the API server.
		"--disable-admission-plugins=ServiceAccount",
		"--enable-admission-plugins=OwnerReferencesPermissionEnforcement"); err != nil {
		return err
	}
	return spawn(o, nsControl, filepath.Join(o.bin, "kube-controller-manager"),
		"--kubeconfig="+o.path("kubeconfig"), "--secure-port=0", "--leader-elect=false",
		"--controllers="+strings.Join(controllers, ","),
		"--service-account-private-key-file="+key("service-account.key"),
		"--root-ca-file="+key("ca.crt"), "--kube-api-qps=500", "--kube-api-burst=1000")
}

// spawn starts a daemon, logs to log/NAME and records its pid in pid/NAME. The
// rig's own daemons are named for their command.
func spawn(o options, ns, program string, args ...string) error {
	name := filepath.Base(program)
	if name == "rig" {
		name = args[0]
	}
	log, err := os.OpenFile(o.path("log", name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	for _, entry := range os.Environ() { // the daemons use no proxy, nor our marker
		key, _, _ := strings.Cut(entry, "=")
		if key != "GWRIG_NETNS" && !strings.HasSuffix(strings.ToLower(key), "_proxy") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	if err := inNS(ns, cmd.Start); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	go func() { _ = cmd.Wait() }()
	record := fmt.Sprintf("%d %s\n", cmd.Process.Pid, startTime(cmd.Process.Pid))
	return os.WriteFile(o.path("pid", name), []byte(record), 0o644)
}

// startTime tells a process from a later one with the same pid.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

// terminate ends processes: politely, then after some seconds by force.
func terminate(pids []int) {
	starts := map[int]string{}
	for _, pid := range pids {
		starts[pid] = startTime(pid)
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	alive := func(pid int) bool { return starts[pid] != "" && startTime(pid) == starts[pid] }
	for range 50 {
		if !slices.ContainsFunc(pids, alive) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, pid := range pids {
		if alive(pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func down(o options) error {
	for _, name := range []string{"kubelet", "kube-controller-manager", "kube-apiserver", "etcd"} {
		record, err := os.ReadFile(o.path("pid", name))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(record))
		if len(fields) != 2 {
			continue
		}
		if pid, err := strconv.Atoi(fields[0]); err == nil && startTime(pid) == fields[1] {
			terminate([]int{pid})
		}
	}
	var failed error
	for _, ns := range rigNamespaces() {
		terminate(processesIn(ns))
		failed = errors.Join(failed, deleteNS(ns))
	}
	for _, dir := range []string{"etcd", "pid", "pod", "key", "kubeconfig"} {
		failed = errors.Join(failed, os.RemoveAll(o.path(dir)))
	}
	return failed
}

func writeKubeconfig(o options) error {
	read := func(name string) []byte {
		content, _ := os.ReadFile(o.path("key", name))
		return content
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["rig"] = &clientcmdapi.Cluster{
		Server: "https://" + controlIP + ":6443", CertificateAuthorityData: read("ca.crt"),
	}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: read("admin.crt"), ClientKeyData: read("admin.key"),
	}
	config.Contexts["rig"] = &clientcmdapi.Context{Cluster: "rig", AuthInfo: "admin"}
	config.CurrentContext = "rig"
	return clientcmd.WriteToFile(*config, o.path("kubeconfig"))
}

func restConfig(o options) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.path("kubeconfig"))
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 500, 1000
	return config, nil
}

// poll calls f until it succeeds, and says what it waited for when it never does.
func poll(ctx context.Context, limit time.Duration, what string, f func() error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, limit, true, func(context.Context) (bool, error) {
		last = f()
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", what, errors.Join(err, last))
	}
	return nil
}

// resources of the objects in the CRDs' folder and of GatewayClasses.
var resources = map[string]schema.GroupVersionResource{
	"CustomResourceDefinition": {Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	"ValidatingAdmissionPolicy": {
		Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
	"ValidatingAdmissionPolicyBinding": {
		Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"},
	"GatewayClass": {Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gatewayclasses"},
}

func installCRDs(ctx context.Context, config *rest.Config, dir string) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no CRDs in %s: %w", dir, err)
	}
	var crds []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, document := range strings.Split(string(content), "\n---") {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			resource, known := resources[object.GetKind()]
			if !known { // an empty document, or the kustomization
				continue
			}
			if object.GetKind() == "CustomResourceDefinition" {
				crds = append(crds, object.GetName())
			}
			if _, err := client.Resource(resource).Create(ctx, object, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	for _, name := range crds {
		err := poll(ctx, 30*time.Second, name, func() error {
			crd, err := client.Resource(resources["CustomResourceDefinition"]).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
			for _, condition := range conditions {
				c, _ := condition.(map[string]any)
				if c["type"] == "Established" && c["status"] == "True" {
					return nil
				}
			}
			return errors.New("not established")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func createClass(ctx context.Context, o options, name, controller string) error {
	if err := reexecIn(nsControl); err != nil {
		return err
	}
	config, err := restConfig(o)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	class := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1",
		"kind":       "GatewayClass",
		"metadata":   map[string]any{"name": name},
		"spec":       map[string]any{"controllerName": controller},
	}}
	_, err = client.Resource(resources["GatewayClass"]).Create(ctx, class, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

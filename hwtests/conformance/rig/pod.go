// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod is one pod that runs: a network namespace with an address, and for every
// container a folder with its program and volumes, and a process rooted there.
type pod struct {
	k      *kubelet
	object *corev1.Pod
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	dir    string
	ns, ip string
	logs   map[string]*containerLog
}

func newPod(ctx context.Context, k *kubelet, object *corev1.Pod) *pod {
	p := &pod{k: k, object: object, done: make(chan struct{}), logs: map[string]*containerLog{}}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.dir = k.path("pod", string(object.UID))
	for _, c := range object.Spec.Containers {
		p.logs[c.Name] = &containerLog{}
	}
	return p
}

func (p *pod) name() string { return p.object.Namespace + "/" + p.object.Name }

// The images the suite uses, by a part of their names.
const (
	echoImage = "echo-basic"
	dnsImage  = "coredns"
)

// runnable tells the suite's pods from others, which are left to whoever made them.
func runnable(object *corev1.Pod) bool {
	for _, c := range object.Spec.Containers {
		if !strings.Contains(c.Image, echoImage) && !strings.Contains(c.Image, dnsImage) {
			return false
		}
	}
	return true
}

// program says what to run for a container.
func (p *pod) program(c corev1.Container) (path string, args []string) {
	if strings.Contains(c.Image, echoImage) {
		return p.k.echo, c.Args
	}
	return "/proc/self/exe", []string{"dns"} // good even after a rebuild of this program
}

func (p *pod) run() {
	defer close(p.done)
	defer os.RemoveAll(p.dir)
	files, err := p.waitForVolumes()
	if err != nil {
		return // deleted before its volumes came
	}
	n := int(p.k.lastIP.Add(1))
	p.ns, p.ip = podNetwork(n)
	if err := setUpPod(n); err != nil {
		log.Printf("%s: %v", p.name(), err)
		return
	}
	defer func() {
		if err := deleteNS(p.ns); err != nil {
			log.Printf("%s: %v", p.name(), err)
		}
	}()
	var running sync.WaitGroup
	for _, c := range p.object.Spec.Containers {
		if err := p.writeRoot(c, files); err != nil {
			log.Printf("%s: %v", p.name(), err)
			return
		}
		running.Go(func() { p.keepRunning(c) })
	}
	p.becomeReady()
	running.Wait()
}

// waitForVolumes reads all volumes; like a kubelet it waits for missing objects.
func (p *pod) waitForVolumes() (map[string]map[string][]byte, error) {
	volumes := map[string]map[string][]byte{}
	for _, volume := range p.object.Spec.Volumes {
		for try := 0; ; try++ {
			files, err := p.k.volumeFiles(p.ctx, p.object.Namespace, volume)
			if err == nil {
				volumes[volume.Name] = files
				break
			}
			if try%50 == 10 {
				log.Printf("%s: waits: %v", p.name(), err)
			}
			select {
			case <-p.ctx.Done():
				return nil, p.ctx.Err()
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	return volumes, nil
}

func (p *pod) root(c corev1.Container) string { return filepath.Join(p.dir, c.Name) }

// writeRoot fills a container's root folder. The programs are static: besides
// themselves they need only their volumes.
func (p *pod) writeRoot(c corev1.Container, volumes map[string]map[string][]byte) error {
	for _, mount := range c.VolumeMounts {
		dir := filepath.Join(p.root(c), mount.MountPath)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for path, content := range volumes[mount.Name] {
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, content, 0o644); err != nil {
				return err
			}
		}
	}
	program, _ := p.program(c)
	if err := os.MkdirAll(p.root(c), 0o755); err != nil {
		return err
	}
	target := filepath.Join(p.root(c), "program")
	if err := os.Link(program, target); err == nil {
		return nil
	}
	content, err := os.ReadFile(program) // not on the same file system
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o755)
}

func (p *pod) environment(c corev1.Container) []string {
	env := map[string]string{}
	for _, variable := range c.Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil && from.FieldRef != nil {
			switch from.FieldRef.FieldPath {
			case "metadata.name":
				value = p.object.Name
			case "metadata.namespace":
				value = p.object.Namespace
			case "metadata.uid":
				value = string(p.object.UID)
			case "status.podIP":
				value = p.ip
			case "status.hostIP":
				value = nodeIP
			case "spec.nodeName":
				value = nodeName
			}
		}
		env[variable.Name] = value
	}
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// keepRunning runs a container, again and again if it ends, until the pod goes.
func (p *pod) keepRunning(c corev1.Container) {
	for p.ctx.Err() == nil {
		if err := p.runOnce(c); err != nil && p.ctx.Err() == nil {
			log.Printf("%s: container %s: %v", p.name(), c.Name, err)
		}
		select {
		case <-p.ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (p *pod) runOnce(c corev1.Container) error {
	_, args := p.program(c)
	cmd := exec.CommandContext(p.ctx, "/program", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	cmd.Env = append(p.environment(c), "HOSTNAME="+p.object.Name)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: p.root(c), Setpgid: true}
	read, write := io.Pipe()
	defer write.Close()
	cmd.Stdout, cmd.Stderr = write, write
	go p.logs[c.Name].copyFrom(read)
	if err := inNS(p.ns, cmd.Start); err != nil {
		return err
	}
	return cmd.Wait()
}

// becomeReady waits until the pod listens on every port it is going to, and
// says so in the pod's status.
func (p *pod) becomeReady() {
	for last := ""; ; {
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
		sockets := p.listeners()
		if sockets != "" && sockets == last {
			break
		}
		last = sockets
	}
	status := p.readyStatus()
	for p.ctx.Err() == nil {
		err := p.k.setStatus(p.ctx, p.object, status)
		if err == nil {
			return
		}
		log.Printf("%s: status: %v", p.name(), err)
		time.Sleep(time.Second)
	}
}

// listeners lists the pod's listening TCP sockets and its bound UDP sockets.
func (p *pod) listeners() string {
	var found strings.Builder
	_ = inNS(p.ns, func() error {
		for _, file := range []string{"tcp", "tcp6", "udp", "udp6"} {
			state := "0A" // listening
			if file[0] == 'u' {
				state = "07" // bound, not connected
			}
			// thread-self: the namespace belongs to this thread only.
			table, err := os.ReadFile("/proc/thread-self/net/" + file)
			if err != nil {
				return err
			}
			for _, line := range strings.Split(string(table), "\n")[1:] {
				if fields := strings.Fields(line); len(fields) > 3 && fields[3] == state {
					found.WriteString(file + fields[1] + " ")
				}
			}
		}
		return nil
	})
	return found.String()
}

func (p *pod) readyStatus() corev1.PodStatus {
	now := metav1.Now()
	started := true
	status := corev1.PodStatus{
		Phase:  corev1.PodRunning,
		HostIP: nodeIP, HostIPs: []corev1.HostIP{{IP: nodeIP}},
		PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}},
		StartTime: &now,
	}
	for _, condition := range []corev1.PodConditionType{
		corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{
			Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	for _, c := range p.object.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, Ready: true, Started: &started,
			ContainerID: "rig://" + string(p.object.UID) + "-" + c.Name,
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}

type logLine struct {
	at   time.Time
	text string
}

// containerLog holds what a container wrote, with the time of each line.
type containerLog struct {
	mu    sync.Mutex
	lines []logLine
}

func (l *containerLog) copyFrom(r io.Reader) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		l.mu.Lock()
		l.lines = append(l.lines, logLine{time.Now(), scanner.Text()})
		l.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // after an overlong line, so that the writer never blocks
}

// from gives the lines from the n-th on, and the number of the next.
func (l *containerLog) from(n int) ([]logLine, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[n:], len(l.lines)
}

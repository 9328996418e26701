// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The network. README.md documents it: implementations rely on these names and
// addresses.
const (
	nsPrefix  = "gwrig-"
	nsControl = nsPrefix + "cp"
	nsNode    = nsPrefix + "node"
	nsClient  = nsPrefix + "client"

	controlIP = "10.249.0.1" // kube-apiserver, in nsControl
	nodeIP    = "10.249.0.2" // the fake kubelet, in nsNode
	clientIP  = "10.249.0.3" // the suite's way to the API server

	dataNodeIP   = "10.250.0.1" // data0 in nsNode
	dataClientIP = "10.250.0.2" // data0 in nsClient
	gatewayPool  = "10.251.0.0/24"

	podGateway = "10.244.0.1" // pods0, a bridge in nsNode
	podPrefix  = 16

	// The same in IPv6, beside the API's traffic.
	dataNodeIP6   = "fd00:250::1"
	dataClientIP6 = "fd00:250::2"
	gatewayPool6  = "fd00:251::/64"
	podGateway6   = "fd00:244::1"
	podPrefix6    = 64

	// A bridge without an address of its own takes the lowest of its ports. Another port may change
	// it, and who has the old one in its neighbour cache is not heard for half a minute or more.
	controlMAC = "02:00:00:f9:00:01"
	podMAC     = "02:00:00:f4:00:01"
)

func nsPath(ns string) string { return filepath.Join("/run/netns", ns) }

// ip runs iproute2 commands, one a line, in a network namespace.
func ip(ns string, lines ...string) error {
	cmd := exec.Command("ip", "-n", ns, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip -n %s: %w: %s", ns, err, out)
	}
	return nil
}

func addNS(ns string) error {
	if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
		return fmt.Errorf("ip netns add %s: %w: %s", ns, err, out)
	}
	return ip(ns, "link set lo up")
}

// inNS calls f on a thread inside a network namespace. Sockets that f opens and
// processes that f starts belong to it.
func inNS(ns string, f func() error) error {
	target, err := os.Open(nsPath(ns))
	if err != nil {
		return err
	}
	defer target.Close()
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("setns %s: %w", ns, err)
			return
		}
		result <- f()
	}()
	return <-result
}

// reexecIn runs this very command again inside a network namespace, unless it
// is already there.
func reexecIn(ns string) error {
	const marker = "GWRIG_NETNS"
	if os.Getenv(marker) == ns {
		return nil
	}
	return inNS(ns, func() error {
		return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), marker+"="+ns))
	})
}

// noTxChecksum makes an interface send complete checksums, as a wire would: veth
// leaves them to the receiver, and XDP loses that mark on redirect.
func noTxChecksum(ns, ifname string) error {
	return inNS(ns, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		value := struct{ cmd, data uint32 }{cmd: unix.ETHTOOL_STXCSUM}
		request := struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}{data: unsafe.Pointer(&value)}
		copy(request.name[:unix.IFNAMSIZ-1], ifname)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL,
			uintptr(unsafe.Pointer(&request))); errno != 0 {
			return fmt.Errorf("ethtool %s: %w", ifname, errno)
		}
		return nil
	})
}

func sysctl(ns string, settings ...string) error {
	return inNS(ns, func() error {
		for _, setting := range settings {
			key, value, _ := strings.Cut(setting, "=")
			// A thread sees the /proc/sys/net of its own namespace.
			if err := os.WriteFile("/proc/sys/"+key, []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
}

func setUpNetwork() error {
	for _, ns := range []string{nsControl, nsNode, nsClient} {
		if err := addNS(ns); err != nil {
			return err
		}
		if err := sysctl(ns, "net/ipv4/ip_forward=1", "net/ipv4/conf/all/rp_filter=0",
			"net/ipv4/conf/default/rp_filter=0", "net/ipv6/conf/all/forwarding=1"); err != nil {
			return err
		}
	}
	steps := []struct {
		ns    string
		lines []string
	}{
		{nsControl, []string{
			"link add mgmt address " + controlMAC + " type bridge",
			"addr add " + controlIP + "/24 dev mgmt",
			"link set mgmt up",
			"link add node type veth peer name mgmt0 netns " + nsNode,
			"link add client type veth peer name mgmt0 netns " + nsClient,
			"link set node master mgmt up",
			"link set client master mgmt up",
		}},
		{nsNode, []string{
			"addr add " + nodeIP + "/24 dev mgmt0",
			"link set mgmt0 up",
			"link add data0 type veth peer name data0 netns " + nsClient,
			"addr add " + dataNodeIP + "/24 dev data0",
			"addr add " + dataNodeIP6 + "/64 dev data0 nodad",
			"link set data0 up",
			"link add pods0 address " + podMAC + " type bridge",
			fmt.Sprintf("addr add %s/%d dev pods0", podGateway, podPrefix),
			fmt.Sprintf("addr add %s/%d dev pods0 nodad", podGateway6, podPrefix6),
			"link set pods0 up",
		}},
		{nsClient, []string{
			"addr add " + clientIP + "/24 dev mgmt0",
			"link set mgmt0 up",
			"addr add " + dataClientIP + "/24 dev data0",
			"addr add " + dataClientIP6 + "/64 dev data0 nodad",
			"link set data0 up",
			"route add default via " + dataNodeIP,
			"route add " + gatewayPool + " via " + dataNodeIP,
			"route add default via " + dataNodeIP6,
			"route add " + gatewayPool6 + " via " + dataNodeIP6,
		}},
	}
	for _, step := range steps {
		if err := ip(step.ns, step.lines...); err != nil {
			return err
		}
	}
	if err := noTxChecksum(nsClient, "data0"); err != nil {
		return err
	}
	return noTxChecksum(nsNode, "data0")
}

// podNetwork is the n-th pod's namespace and address. Its IPv6 address, which no
// status tells, ends in the same number: podAddress6.
func podNetwork(n int) (ns, addr string) {
	return nsPrefix + "p" + strconv.Itoa(n), fmt.Sprintf("10.244.%d.%d", n>>8, n&255)
}

func podAddress6(n int) string { return fmt.Sprintf("fd00:244::%x", n) }

func setUpPod(n int) error {
	ns, addr := podNetwork(n)
	if err := addNS(ns); err != nil {
		return err
	}
	host := "pod" + strconv.Itoa(n)
	if err := ip(nsNode,
		"link add "+host+" type veth peer name eth0 netns "+ns,
		"link set "+host+" master pods0 up"); err != nil {
		return err
	}
	if err := ip(ns,
		fmt.Sprintf("addr add %s/%d dev eth0", addr, podPrefix),
		fmt.Sprintf("addr add %s/%d dev eth0 nodad", podAddress6(n), podPrefix6),
		"link set eth0 up",
		"route add default via "+podGateway,
		"route add default via "+podGateway6); err != nil {
		return err
	}
	return noTxChecksum(ns, "eth0")
}

func deleteNS(ns string) error {
	if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
		return fmt.Errorf("ip netns del %s: %w: %s", ns, err, out)
	}
	return nil
}

// rigNamespaces lists the namespaces that exist with the rig's prefix.
func rigNamespaces() []string {
	entries, _ := os.ReadDir("/run/netns")
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), nsPrefix) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// processesIn lists the processes inside a network namespace.
func processesIn(ns string) []int {
	out, _ := exec.Command("ip", "netns", "pids", ns).Output()
	var pids []int
	for _, field := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(field); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

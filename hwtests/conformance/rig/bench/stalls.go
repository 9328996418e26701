// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	sleeperCommand = "sleeper" // of ourselves: sleeper CPU
	nap            = 500 * time.Microsecond
	stalled        = time.Millisecond // late by so much, it is not its wake-up that takes time
)

// stalls notes when a processor stood still: on each a process that goes
// before all others sleeps again and again, and when it oversleeps, so did all
// the rest. On a virtual machine that is mostly the host, which gave the
// processor to somebody else; long work of the kernel looks the same.
type stalls struct {
	mu    sync.Mutex
	list  []stall
	ended error // why a process of it did
}

type stall struct {
	from, to time.Time
}

// watchStalls does so until ctx ends.
func watchStalls(ctx context.Context) (*stalls, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		return nil, err
	}
	s := &stalls{}
	for cpu := range len(cpus) * 64 {
		if !cpus.IsSet(cpu) {
			continue
		}
		command := exec.CommandContext(ctx, self, sleeperCommand, strconv.Itoa(cpu))
		command.Stderr = os.Stderr
		command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		told, err := command.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := command.Start(); err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(told)
		if !lines.Scan() {
			return nil, fmt.Errorf("processor %d cannot be watched: %w", cpu, command.Wait())
		}
		go func() {
			for lines.Scan() {
				var from, to int64
				if _, err := fmt.Sscan(lines.Text(), &from, &to); err == nil {
					s.add(stall{time.Unix(0, from), time.Unix(0, to)})
				}
			}
			s.end(command.Wait())
		}()
	}
	return s, nil
}

func (s *stalls) add(one stall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, one)
}

func (s *stalls) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = err
}

// during says whether a processor stood still in this time.
func (s *stalls) during(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.list, func(one stall) bool { return one.from.Before(to) && one.to.After(from) })
}

// within gives how many there were, and how long they were together; nothing
// if not all processors were watched until now.
func (s *stalls) within(from, to time.Time) (n int, sum time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return 0, 0, fmt.Errorf("processors are not watched any more: %w", s.ended)
	}
	for _, one := range s.list {
		if one.from.Before(to) && one.to.After(from) {
			n++
			sum += one.to.Sub(one.from)
		}
	}
	return n, sum, nil
}

// sleeper is the process of one processor. It tells by a line that it began,
// and each stall by another:
// when it should have woken, and when it did, in nanoseconds of the Unix clock.
func sleeper(cpu string) error {
	n, err := strconv.Atoi(cpu)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1) // it makes nothing but a line for each stall
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(n)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	first := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	if err := unix.SchedSetAttr(0, &first, 0); err != nil {
		return fmt.Errorf("go before all others: %w", err)
	}
	fmt.Println(0, 0)
	pause := unix.NsecToTimespec(int64(nap))
	for {
		due := time.Now().Add(nap)
		if err := unix.Nanosleep(&pause, nil); err != nil && err != unix.EINTR {
			return err
		}
		if now := time.Now(); now.Sub(due) >= stalled {
			if _, err := fmt.Println(due.UnixNano(), now.UnixNano()); err != nil {
				return err
			}
		}
	}
}

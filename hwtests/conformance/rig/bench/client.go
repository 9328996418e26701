// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	versionHeader = "X-Bench-Version"
	patience      = 2 * time.Second // for a connection and for a response
)

// answer is what became of one request.
type answer struct {
	wrong   string // what was wrong with it, or ""
	version string // of the route
	pod     string
	last    bool // the connection has no more answers
}

func failure(err error) answer {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return answer{wrong: "timeout", last: true}
	case errors.Is(err, syscall.ECONNREFUSED):
		return answer{wrong: "refused", last: true}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return answer{wrong: "reset", last: true}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return answer{wrong: "closed without response", last: true}
	}
	return answer{wrong: err.Error(), last: true}
}

func request(host, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", path, host)
}

// readAnswer reads one response. It is right if it is a 200 of an echo server
// that saw the path and the version that the response has.
func readAnswer(r *bufio.Reader, path string) answer {
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return failure(err)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return failure(err)
	}
	a := answer{version: response.Header.Get(versionHeader), last: response.Close}
	if response.StatusCode != http.StatusOK {
		a.wrong = strconv.Itoa(response.StatusCode)
		return a
	}
	var echo struct {
		Path, Pod string
		Headers   map[string][]string
	}
	if json.Unmarshal(content, &echo) != nil || echo.Path != path {
		a.wrong = "wrong body"
		return a
	}
	a.pod = echo.Pod
	if seen := strings.Join(echo.Headers[versionHeader], ","); seen != "" && seen != a.version {
		a.wrong = "mixed versions"
	}
	return a
}

// kind says why an answer is not the right one.
func (a answer) kind() string {
	if a.wrong == "" {
		return "old version"
	}
	return a.wrong
}

// ask sends a request over a new connection.
func (b *bench) ask(r route) answer {
	c, err := net.DialTimeout("tcp", b.address, patience)
	if err != nil {
		return failure(err)
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetLinger(0) // leaves no TIME_WAIT behind
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(request(r.host(), r.path())); err != nil {
		return failure(err)
	}
	return readAnswer(bufio.NewReader(c), r.path())
}

// right says whether an answer is of this version of the route.
func (r route) right(a answer) bool {
	return a.wrong == "" && a.version == r.version && strings.HasPrefix(a.pod, r.service)
}

type loadOptions struct {
	connections int
	rate        int // requests a second, together
}

// load is a steady stream of requests over keep-alive connections.
type load struct {
	name    string
	target  string
	route   route
	observe func(worker int, a answer, at time.Time)

	mu       sync.Mutex
	requests int
	wrong    tally
	dials    int
	closed   int // connections that the gateway ended
	latency  durations
	stop     chan struct{}
	done     sync.WaitGroup
}

func (b *bench) startLoad(name string, options loadOptions, r route, observe func(int, answer, time.Time)) *load {
	l := &load{name: name, target: b.address, route: r, observe: observe, wrong: tally{}, stop: make(chan struct{})}
	step := time.Second / time.Duration(options.rate)
	for w := range options.connections {
		l.done.Go(func() {
			time.Sleep(step * time.Duration(w)) // evenly, not all at once
			l.work(w, step*time.Duration(options.connections))
		})
	}
	return l
}

func (l *load) finish() {
	close(l.stop)
	l.done.Wait()
}

// connection has a reader of its own, so that it notices when the gateway
// closes it between two requests.
type connection struct {
	net.Conn
	answers chan answer // closed with the connection
}

func (l *load) dial() (*connection, error) {
	c, err := net.DialTimeout("tcp", l.target, patience)
	if err != nil {
		return nil, err
	}
	k := &connection{c, make(chan answer)}
	go func() {
		defer close(k.answers)
		r := bufio.NewReader(c)
		for {
			if _, err := r.Peek(1); err != nil {
				return
			}
			a := readAnswer(r, l.route.path())
			k.answers <- a
			if a.last {
				return
			}
		}
	}()
	return k, nil
}

func (l *load) work(worker int, interval time.Duration) {
	message := request(l.route.host(), l.route.path())
	var c *connection
	drop := func() {
		_ = c.Close()
		for range c.answers { // lets the reader end
		}
		c = nil
	}
	lost := func() {
		l.mu.Lock()
		l.closed++
		l.mu.Unlock()
		drop()
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			if c != nil {
				drop()
			}
			return
		case <-ticker.C:
		}
		if c != nil {
			select {
			case <-c.answers:
				lost()
			default:
			}
		}
		begin := time.Now()
		a := answer{}
		if c == nil {
			var err error
			c, err = l.dial()
			l.mu.Lock()
			l.dials++
			l.mu.Unlock()
			if err != nil {
				c = nil
				a = failure(err)
			}
		}
		if c != nil {
			_, _ = c.Write(message) // the reader sees what came of it
			select {
			case got, open := <-c.answers:
				a = got
				if !open {
					a = answer{wrong: "closed without response"}
				}
				if !open || a.last {
					lost()
				}
			case <-time.After(patience):
				a = answer{wrong: "timeout"}
				drop()
			}
		}
		now := time.Now()
		l.mu.Lock()
		l.requests++
		l.latency = append(l.latency, now.Sub(begin))
		if a.wrong != "" {
			l.wrong[a.wrong]++
		}
		l.mu.Unlock()
		if l.observe != nil {
			l.observe(worker, a, now)
		}
	}
}

// report prints what the load met with.
func report(loads ...*load) {
	header("load", "requests", "wrong answers", "connections ended by the gateway", "dials", "p50 ms", "p99 ms", "max ms")
	for _, l := range loads {
		row(l.name, l.requests, l.wrong, l.closed, l.dials,
			ms(l.latency.quantile(.5)), ms(l.latency.quantile(.99)), ms(l.latency.quantile(1)))
	}
}

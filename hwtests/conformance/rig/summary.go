// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// entry is a line of the suite's catalogue: what a test belongs to.
type entry struct {
	Name        string
	Features    []string
	Provisional bool
	Core        []string // profiles
	Extended    []string // profiles
}

// mesh tests are not for gateways.
func (e entry) mesh() bool { return slices.Contains(e.Features, "Mesh") }

func printFeatures(w io.Writer, catalogPath string) error {
	catalog, err := readCatalog(catalogPath)
	if err != nil {
		return err
	}
	var features []string
	for _, test := range catalog {
		if !test.mesh() {
			features = append(features, test.Features...)
		}
	}
	slices.Sort(features)
	_, err = fmt.Fprintln(w, strings.Join(slices.Compact(features), ","))
	return err
}

type outcome struct {
	result  string
	seconds float64
	output  []string
	failed  []string // sub-tests
}

func readCatalog(path string) ([]entry, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var catalog []entry
	return catalog, json.Unmarshal(content, &catalog)
}

// readResults gathers the events of 'go test -json' by conformance test.
func readResults(path string) (map[string]*outcome, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	outcomes := map[string]*outcome{}
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var event struct {
			Action, Test, Output string
			Elapsed              float64
		}
		if json.Unmarshal(scanner.Bytes(), &event) != nil {
			continue
		}
		parts := strings.SplitN(event.Test, "/", 3)
		if len(parts) < 2 {
			parts = []string{"", ""} // the suite itself
		}
		o := outcomes[parts[1]]
		if o == nil {
			o = &outcome{}
			outcomes[parts[1]] = o
		}
		switch event.Action {
		case "output":
			o.output = append(o.output, event.Output)
		case "pass", "fail", "skip":
			if len(parts) == 2 {
				o.result, o.seconds = event.Action, event.Elapsed
			} else if event.Action == "fail" {
				o.failed = append(o.failed, parts[2])
			}
		}
	}
	return outcomes, scanner.Err()
}

// reason is the first error that a test printed.
func (o *outcome) reason() string {
	for i, line := range o.output {
		_, text, found := strings.Cut(line, "Error:")
		if !found {
			continue
		}
		text = strings.TrimSpace(text)
		if i+1 < len(o.output) && strings.HasPrefix(text, "Received unexpected error") {
			text = strings.TrimSpace(o.output[i+1])
		}
		return text
	}
	return ""
}

func summarise(w io.Writer, catalogPath, resultsPath string) error {
	catalog, err := readCatalog(catalogPath)
	if err != nil {
		return err
	}
	outcomes, err := readResults(resultsPath)
	if err != nil {
		return err
	}
	type score struct{ core, corePass, extended, extendedPass int }
	scores := map[string]*score{}
	counts := map[string]int{}
	var absent []string
	add := func(profiles []string, f func(*score)) {
		for _, profile := range profiles {
			if scores[profile] == nil {
				scores[profile] = &score{}
			}
			f(scores[profile])
		}
	}
	slices.SortFunc(catalog, func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
	for _, test := range catalog {
		if test.mesh() {
			continue
		}
		o := outcomes[test.Name]
		if o == nil {
			o = &outcome{result: "none"}
		} else if o.result == "" {
			o.result = "unfinished"
		}
		note := ""
		if test.Provisional {
			note = " (provisional)"
		}
		counts[o.result]++
		pass := 0
		if o.result == "pass" {
			pass = 1
		}
		add(test.Core, func(s *score) { s.core++; s.corePass += pass })
		add(test.Extended, func(s *score) { s.extended++; s.extendedPass += pass })
		if o.result == "skip" || o.result == "none" {
			absent = append(absent, test.Name)
			continue
		}
		fmt.Fprintf(w, "%-10s %6.1fs  %s%s\n", strings.ToUpper(o.result), o.seconds, test.Name, note)
		if o.result == "fail" {
			if len(o.failed) > 0 {
				fmt.Fprintf(w, "%20s %d failed, first: %s\n", "", len(o.failed), o.failed[0])
			}
			if reason := o.reason(); reason != "" {
				fmt.Fprintf(w, "%20s %.160s\n", "", reason)
			}
		}
	}
	if len(absent) > 0 {
		fmt.Fprintf(w, "\nskipped or not run: %s\n", strings.Join(absent, " "))
	}
	if suite := outcomes[""]; suite != nil && counts["pass"]+counts["fail"] == 0 {
		fmt.Fprintf(w, "\nthe suite itself failed: %s\n", suite.reason())
	}
	fmt.Fprintf(w, "\n%d pass, %d fail, %d skip, %d unfinished, %d not run\n",
		counts["pass"], counts["fail"], counts["skip"], counts["unfinished"], counts["none"])
	for _, profile := range []string{"GATEWAY-HTTP", "GATEWAY-GRPC", "GATEWAY-TLS", "GATEWAY-TCP", "GATEWAY-UDP"} {
		if s := scores[profile]; s != nil {
			fmt.Fprintf(w, "%-13s core %d/%d, extended %d/%d\n",
				profile, s.corePass, s.core, s.extendedPass, s.extended)
		}
	}
	return nil
}

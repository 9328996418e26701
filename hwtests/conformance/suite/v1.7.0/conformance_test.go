// SPDX-License-Identifier: Apache-2.0

// Package suite is the Gateway API conformance suite v1.7.0 as a test program.
package suite

import (
	"encoding/json"
	"os"
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
)

var profiles = []suite.ConformanceProfile{
	suite.GatewayHTTPConformanceProfile,
	suite.GatewayGRPCConformanceProfile,
	suite.GatewayTLSConformanceProfile,
	suite.GatewayTCPConformanceProfile,
	suite.GatewayUDPConformanceProfile,
}

func TestConformance(t *testing.T) {
	conformance.RunConformance(t)
}

// TestCatalog writes what the suite consists of to the file CATALOG names.
func TestCatalog(t *testing.T) {
	path := os.Getenv("CATALOG")
	if path == "" {
		t.Skip("CATALOG is not set")
	}
	type entry struct {
		Name           string
		Features       []string
		Provisional    bool
		Core, Extended []string
	}
	var catalog []entry
	for _, test := range tests.ConformanceTests {
		e := entry{Name: test.ShortName, Provisional: test.Provisional}
		for _, feature := range test.Features {
			e.Features = append(e.Features, string(feature))
		}
		for _, profile := range profiles {
			switch {
			case profile.CoreFeatures.HasAll(test.Features...):
				e.Core = append(e.Core, string(profile.Name))
			case profile.CoreFeatures.Union(profile.ExtendedFeatures).HasAll(test.Features...):
				e.Extended = append(e.Extended, string(profile.Name))
			}
		}
		catalog = append(catalog, e)
	}
	content, err := json.MarshalIndent(catalog, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

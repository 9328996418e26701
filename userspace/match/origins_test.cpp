// SPDX-License-Identifier: Apache-2.0
// The sentences of GEP-1767 and the cases of the conformance suite (HTTPRouteCORS) about origins, one row each.
#include "userspace/match/origins.hpp"

#include "tools/test/catch.hpp"
#include "userspace/match/testing.hpp"

using namespace penstock::match;
using namespace penstock::match::testing;

TEST_CASE("origins: those that a filter allows") {
    struct Row {
        const char *pattern, *origin;
        bool allowed;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"https://www.foo.com", "https://www.foo.com", true},
             {"https://www.foo.com", "https://foo.com", false},
             {"https://www.foo.com", "https://www.foo.com.evil.com", false},
             {"https://www.foo.com", "https://xwww.foo.com", false},
             {"https://www.foo.com", "http://www.foo.com", false},  // another scheme is another origin
             {"https://www.foo.com", "https://www.foo.com:8443", false},  // so is another port
             {"https://www.foo.com:8443", "https://www.foo.com:8443", true},
             {"https://www.foo.com:8443", "https://www.foo.com", false},
             {"https://www.foo.com", "https://www.foo.com:443", true},  // of which 443 is assumed,
             {"http://www.foo.com", "http://www.foo.com:80", true},     // or 80
             {"http://www.foo.com:80", "http://www.foo.com", true},
             {"http://www.foo.com", "http://www.foo.com:443", false},
             {"https://www.foo.com", "HTTPS://WWW.Foo.com", true},
             {"https://*.bar.com", "https://www.bar.com", true},
             {"https://*.bar.com", "https://xpto.www.bar.com", true},  // greedy to the left
             {"https://*.bar.com", "https://bar.com", false},
             {"https://*.bar.com", "https://.bar.com", false},
             {"https://*.bar.com", "https://xbar.com", false},
             {"https://*.bar.com", "https://www.bar.com.evil", false},
             {"https://*.bar.com", "http://www.bar.com", false},
             {"https://*.bar.com", "https://www.bar.com:8443", false},
             {"https://*.bar.com:8443", "https://www.bar.com:8443", true},
             {"https://*", "https://anything.at.all", true},  // a wildcard by itself: all hosts
             {"https://*", "http://anything.at.all", false},
             {"https://*:8443", "https://a:8443", true},
             {"*", "https://foobar.com", true},  // all origins
             {"*", "https://foobar.com:12345", true},
             {"*", "http://192.0.2.1", true},
             {"*", "https://[2001:db8::1]:8443", true},
             {"*", "capacitor://localhost", true},
             {"*", "null", true},
             {"https://*", "null", false},
             // What is no origin is none that is allowed.
             {"*", "foobar.com", false},
             {"*", "https://", false},
             {"*", "https://a/b", false},
             {"*", "https://a:0", false},
             {"*", "https://a:65536", false},
             {"*", "https://a:8a", false},
             {"*", "https://a, https://b", false},
             {"*", "https://*", false},
             {"https://*.bar.com", "https://*.bar.com", false},
         }) {
        INFO(row.pattern << " " << row.origin);
        const std::vector<std::string> patterns = {row.pattern};
        CHECK(Origins(patterns).allow(row.origin) == row.allowed);
    }
}

TEST_CASE("origins: what a preflight is") {
    const std::pair<std::string, std::string> origin = {"origin", "https://a"}, asked = {"access-control-request-method", "GET"};
    const auto preflight = [](const char* method, const Pairs& pairs) {
        const GivenFields fields(pairs);
        return is_preflight({method, "/", "", fields});
    };
    CHECK(preflight("OPTIONS", {origin, asked}));
    CHECK_FALSE(preflight("GET", {origin, asked}));  // it has the fields, but is no OPTIONS
    CHECK_FALSE(preflight("OPTIONS", {asked}));
    CHECK_FALSE(preflight("OPTIONS", {origin}));
}

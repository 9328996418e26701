// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/forwarded.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::proxy;

namespace {
const ClientFacts kPlain = {"192.0.2.7", false, 80};
const ClientFacts kTls = {"2001:db8::7", true, 443};
}  // namespace

TEST_CASE("forwarded: the client is the entry that the farthest trusted hop has written") {
    struct Case {
        const char* chain;  // null: none
        std::uint32_t hops;
        const char* client;
        bool believed;
    };
    const Case cases[] = {
        {nullptr, 0, "192.0.2.7", false},
        {"10.0.0.1", 0, "192.0.2.7", false},
        {nullptr, 1, "192.0.2.7", false},
        {"", 1, "192.0.2.7", false},
        {"10.0.0.1", 1, "10.0.0.1", true},
        {"6.6.6.6, 10.0.0.1", 1, "10.0.0.1", true},
        {"6.6.6.6,10.0.0.1", 2, "6.6.6.6", true},
        {"junk, 10.0.0.2,\t10.0.0.1 ", 2, "10.0.0.2", true},
        {"10.0.0.1", 2, "192.0.2.7", false},
        {"unknown, 10.0.0.1", 2, "192.0.2.7", false},
        {"10.0.0.2, unknown", 2, "192.0.2.7", false},
        {"10.0.0.2, ", 1, "192.0.2.7", false},
        {", 10.0.0.1", 2, "192.0.2.7", false},
        {"10.0.0.1:4096", 1, "10.0.0.1", true},
        {"[2001:db8::1]:4096", 1, "2001:db8::1", true},
        {"2001:DB8::1", 1, "2001:db8::1", true},
        {"10.0.0.01", 1, "192.0.2.7", false},
        {"10.0.0.1", 4'000'000'000, "192.0.2.7", false},
    };
    for (const Case& one : cases) {
        INFO((one.chain == nullptr ? "none" : one.chain) << " with " << one.hops);
        http::Headers headers;
        if (one.chain != nullptr) {
            headers.add("X-Forwarded-For", one.chain);
        }
        const Forwarded found = forwarded_of(headers, "a.example", kPlain, one.hops);
        CHECK(found.client == one.client);
        CHECK(found.believed == one.believed);
        CHECK(found.chain == (one.chain == nullptr ? "192.0.2.7" : std::string(one.chain) + ", 192.0.2.7"));
    }
}

TEST_CASE("forwarded: several fields are one list") {
    http::Headers headers;
    headers.add("X-Forwarded-For", "10.0.0.3");
    headers.add("X-Forwarded-For", "10.0.0.2, 10.0.0.1");
    CHECK(forwarded_of(headers, "a", kPlain, 3).client == "10.0.0.3");
}

TEST_CASE("forwarded: scheme, host and Forwarded are believed of trusted hops only") {
    struct Case {
        ClientFacts client;
        std::uint32_t hops;
        const char *said_scheme, *said_host, *said_elements;
        const char *scheme, *host, *elements;
    };
    const Case cases[] = {
        {kPlain, 0, "https", "b.example", "for=6.6.6.6", "http", "a.example:8080", ""},
        {kTls, 0, "http", "b.example", "for=6.6.6.6", "https", "a.example:8080", ""},
        {kPlain, 1, "https", "b.example", "", "https", "b.example", ""},
        {kPlain, 1, "ftp", "", "", "http", "a.example:8080", ""},
        {kTls, 1, "http", "b.example", "", "http", "b.example", ""},
        {kPlain, 1, "https", "", "for=10.0.0.1", "https", "a.example:8080", "for=10.0.0.1, for=192.0.2.7;host=\"a.example:8080\";proto=http"},
        {kTls, 1, "", "", "for=10.0.0.1", "https", "a.example:8080", "for=10.0.0.1, for=\"[2001:db8::7]\";host=\"a.example:8080\";proto=https"},
        {kPlain, 2, "https", "b.example", "for=6.6.6.6", "http", "a.example:8080", ""},
    };
    for (const Case& one : cases) {
        http::Headers headers;
        headers.add("X-Forwarded-For", "10.0.0.1");
        for (const auto& [name, value] : {std::pair("X-Forwarded-Proto", one.said_scheme), std::pair("X-Forwarded-Host", one.said_host), std::pair("Forwarded", one.said_elements)}) {
            if (*value != 0) {
                headers.add(name, value);
            }
        }
        const Forwarded found = forwarded_of(headers, "a.example:8080", one.client, one.hops);
        INFO(one.hops << " " << one.said_scheme << " " << one.said_host << " " << one.said_elements);
        CHECK(found.scheme == one.scheme);
        CHECK(found.host == one.host);
        CHECK(found.elements == one.elements);
    }
}

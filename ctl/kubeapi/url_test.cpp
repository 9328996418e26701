// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/url.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::kubeapi;

TEST_CASE("url: everything but the unreserved characters is encoded") {
    CHECK(url_encoded("aZ09-._~") == "aZ09-._~");
    CHECK(url_encoded("type!=a/b c,\xff") == "type%21%3Da%2Fb%20c%2C%FF");
    CHECK(url_encoded("").empty());
}

TEST_CASE("url: the authority is taken apart") {
    struct Row {
        const char* url;
        const char* text;
        const char* host;
        const char* port;
        const char* rest;
    };
    const Row rows[] = {
        {"https://10.0.0.1:6443", "10.0.0.1:6443", "10.0.0.1", "6443", ""},
        {"https://api.example/prefix/x", "api.example", "api.example", "", "/prefix/x"},
        {"https://[fd00::1]:6443/prefix", "[fd00::1]:6443", "[fd00::1]", "6443", "/prefix"},
        {"https://[fd00::1]", "[fd00::1]", "[fd00::1]", "", ""},
        {"https://[fd00::1", "[fd00::1", "[fd00::1", "", ""},
        {"https://api.example:/", "api.example:", "api.example", "", "/"},
        {"https:///x", "", "", "", "/x"},
        {"https://user:secret@api.example/a@b", "user:secret@api.example", "user", "secret@api.example", "/a@b"},
        {"user:secret@api.example/x", "user:secret@api.example", "user", "secret@api.example", "/x"},
        {"user:secret@://api.example", "user:secret@:", "user", "secret@:", "//api.example"},
        {"user@api.example://x", "user@api.example:", "user@api.example", "", "//x"},
        {"api.example:6443", "api.example:6443", "api.example", "6443", ""},
        {"api.example", "api.example", "api.example", "", ""},
        {"", "", "", "", ""},
    };
    for (const Row& row : rows) {
        INFO(row.url);
        const Authority at = authority_of(row.url);
        CHECK(at.text == row.text);
        CHECK(at.host == row.host);
        CHECK(at.port == row.port);
        CHECK(at.rest == row.rest);
    }
}

TEST_CASE("url: addresses of IPv6 get brackets, once") {
    CHECK(host_of("fd00::1") == "[fd00::1]");
    CHECK(host_of("[fd00::1]") == "[fd00::1]");
    CHECK(host_of("10.0.0.1") == "10.0.0.1");
    CHECK(host_of("api.example") == "api.example");
}

// SPDX-License-Identifier: Apache-2.0
// The sentences of GEP-1767 and the cases of the conformance suite (HTTPRouteCORS), one row each.
#include "userspace/proxy/cors.hpp"

#include "schema/packed.hpp"
#include "tools/test/catch.hpp"
#include "userspace/http/parser.hpp"
#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

using Names = std::vector<std::string>;

struct Filter {
    Names origins = {};
    bool credentials = false;
    Names methods = {}, headers = {}, exposed = {};
    std::uint32_t max_age_s = 5;
};

fb::CorsT made(const Filter& filter) {
    fb::CorsT cors;
    cors.allow_origins = filter.origins;
    cors.allow_credentials = filter.credentials;
    cors.allow_methods = filter.methods;
    cors.allow_headers = filter.headers;
    cors.expose_headers = filter.exposed;
    cors.max_age_s = filter.max_age_s;
    return cors;
}

struct Request {
    std::string text;
    http::RequestParser parser;
    explicit Request(const std::string& method, const std::string& fields) : text(method + " / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n") {
        REQUIRE(parser.parse(text) == http::Progress::done);
    }
    const http::RequestHead& head() { return parser.head(); }
};

std::string origin(const std::string& value) { return "Origin: " + value + "\r\n"; }
std::string asks(const std::string& method, const std::string& headers = "") {
    return "Access-Control-Request-Method: " + method + "\r\n" + (headers.empty() ? "" : "Access-Control-Request-Headers: " + headers + "\r\n");
}

// The answer's fields of a name joined by "|", "-" if there is none.
using Answered = std::map<std::string, std::string>;
constexpr const char* kFields[] = {"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
                                   "Access-Control-Expose-Headers", "Access-Control-Max-Age"};

Answered fields_of(const http::Headers& headers) {
    Answered all;
    for (const char* name : kFields) {
        for (const auto& field : headers) {
            if (http::equals_ignoring_case(field.name, name)) {
                all[name] += (all[name].empty() ? "" : "|") + std::string(field.value);
            }
        }
    }
    return all;
}

Answered preflight(const Filter& filter, const std::string& fields) {
    const fb::Packed spec(made(filter));
    const Cors cors(*spec);
    Request request("OPTIONS", fields);
    const std::string_view allowed = cors.allowed_origin(request.head());
    REQUIRE_FALSE(allowed.empty());
    Answer answer;
    cors.answer_preflight(answer, request.head(), allowed);
    CHECK(answer.head.status == 200);
    CHECK(answer.head.headers.find("content-length") == "0");
    CHECK(answer.head.headers.has_token("vary", "origin"));
    return fields_of(answer.head.headers);
}

// What becomes of a backend's answer.
http::Headers edited(const Cors& cors, const std::string& request_fields, const http::Headers& response, std::string& exposed) {
    Request request("GET", request_fields);
    http::Headers headers = response;
    static std::string allowed;
    allowed = cors.allowed_origin(request.head());
    cors.edit_response(headers, allowed, exposed);
    return headers;
}

Answered actual(const Filter& filter, const std::string& request_fields, const http::Headers& response = {}) {
    const fb::Packed spec(made(filter));
    std::string exposed;
    return fields_of(edited(Cors(*spec), request_fields, response, exposed));
}

}  // namespace

TEST_CASE("cors: a request has one origin, and one of the filter's patterns allows it") {
    Request none("GET", ""), two("GET", origin("https://a") + origin("https://a"));
    const fb::Packed any(made({{"*"}}));
    CHECK(Cors(*any).allowed_origin(none.head()).empty());
    CHECK(Cors(*any).allowed_origin(two.head()).empty());
    const fb::Packed several(made({{"https://a", "https://*.b"}}));
    Request second("GET", origin("https://x.b"));
    CHECK(Cors(*several).allowed_origin(second.head()) == "https://x.b");
}

TEST_CASE("cors: answers to preflights") {
    const std::string foo = origin("https://www.foo.com"), other = origin("https://other.foo.com");
    const Filter full{{"https://www.foo.com", "https://*.bar.com"}, true, {"GET", "OPTIONS"}, {"x-header-1", "x-header-2"}, {"x-header-3", "x-header-4"}, 3600};
    const Filter any_method{{"https://www.foo.com"}, false, {"*"}}, any_origin{{"*"}, false, {"PUT"}};
    const Filter any_with{{"*"}, true, {"*"}, {"*"}, {"*"}}, any_without{{"*"}, false, {"*"}, {"*"}, {"*"}};
    struct Row {
        const char* why;
        Filter filter;
        std::string fields;
        Answered answered;
    };
    const auto expected = [](const char* allow, const char* credentials, const char* methods, const char* headers, const char* exposed, const char* age) {
        const char* values[] = {allow, credentials, methods, headers, exposed, age};
        Answered all;
        for (std::size_t i = 0; i < std::size(kFields); ++i) {
            if (values[i] != nullptr) {
                all[kFields[i]] = values[i];
            }
        }
        return all;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"all of the filter is told", full, foo + asks("GET", "x-header-1, x-header-2"),
              expected("https://www.foo.com", "true", "GET, OPTIONS", "x-header-1, x-header-2", "x-header-3, x-header-4", "3600")},
             {"the origin is echoed where a wildcard allows it", full, origin("https://www.bar.com") + asks("GET"),
              expected("https://www.bar.com", "true", "GET, OPTIONS", "x-header-1, x-header-2", "x-header-3, x-header-4", "3600")},
             {"the methods of the filter, whatever is asked for", full, foo + asks("DELETE"),
              expected("https://www.foo.com", "true", "GET, OPTIONS", "x-header-1, x-header-2", "x-header-3, x-header-4", "3600")},
             {"any method: the one that is asked for; no credentials unless allowed", any_method, foo + asks("POST"),
              expected("https://www.foo.com", nullptr, "POST", nullptr, nullptr, "5")},
             {"any origin: this one", any_origin, origin("https://foobar.com") + asks("PUT"), expected("https://foobar.com", nullptr, "PUT", nullptr, nullptr, "5")},
             {"any origin: with its port", any_origin, origin("https://foobar.com:12345") + asks("PUT"),
              expected("https://foobar.com:12345", nullptr, "PUT", nullptr, nullptr, "5")},
             {"all wildcards with credentials: never a star", any_with, other + asks("PUT", "x-header-1, x-header-2"),
              expected("https://other.foo.com", "true", "PUT", "x-header-1, x-header-2", nullptr, "5")},
             {"all wildcards without credentials", any_without, other + asks("PUT", "x-header-1, x-header-2"),
              expected("https://other.foo.com", nullptr, "PUT", "x-header-1, x-header-2", "*", "5")},
             {"any header, and none is asked for", any_with, other + asks("PUT"), expected("https://other.foo.com", "true", "PUT", nullptr, nullptr, "5")},
             {"headers that are asked for in several fields", any_with, other + asks("PUT", "a") + "Access-Control-Request-Headers: b\r\n",
              expected("https://other.foo.com", "true", "PUT", "a, b", nullptr, "5")},
             {"what the filter does not name is not told", {{"*"}}, other + asks("GET"), expected("https://other.foo.com", nullptr, nullptr, nullptr, nullptr, "5")},
         }) {
        INFO(row.why);
        CHECK(preflight(row.filter, row.fields) == row.answered);
    }
}

TEST_CASE("cors: answers to actual requests") {
    const Filter full{{"https://www.foo.com"}, true, {"GET"}, {"x-header-1"}, {"x-header-3", "x-header-4"}, 3600};
    const std::string foo = origin("https://www.foo.com");
    CHECK(actual(full, foo) == Answered{{kFields[0], "https://www.foo.com"}, {kFields[1], "true"}, {kFields[4], "x-header-3, x-header-4"}});
    CHECK(actual(full, foo + asks("GET", "x-header-1")) == actual(full, foo));
    CHECK(actual(full, origin("https://foobar.com")).empty());  // it is served all the same, and the browser keeps it from the script
    CHECK(actual(full, "").empty());
    CHECK(actual({{"*"}}, origin("https://foobar.com:12345")) == Answered{{kFields[0], "https://foobar.com:12345"}});
    CHECK(actual({{"*"}, true}, origin("https://a") + "Cookie: a=b\r\n") == Answered{{kFields[0], "https://a"}, {kFields[1], "true"}});
    CHECK(actual({{"*"}, false}, origin("https://a") + "Authorization: Bearer x\r\n") == Answered{{kFields[0], "https://a"}});
}

TEST_CASE("cors: what the backend says about it is taken away, the rest stays") {
    http::Headers response;
    for (const char* name : kFields) {
        response.add(name, "backend");
        response.add(name, "again");
    }
    response.add("Content-Type", "text/plain");
    for (const char* from : {"https://a", "https://b"}) {
        const fb::Packed spec(made({{"https://a"}, false, {}, {}, {"x"}}));
        std::string exposed;
        const http::Headers headers = edited(Cors(*spec), origin(from), response, exposed);
        CHECK(headers.find("content-type") == "text/plain");
        CHECK(fields_of(headers) == (std::string_view(from) == "https://a" ? Answered{{kFields[0], "https://a"}, {kFields[4], "x"}} : Answered{}));
    }
}

TEST_CASE("cors: every answer varies by origin, once") {
    const fb::Packed spec(made({{"https://a"}}));
    for (const auto& [before, after] : std::initializer_list<std::pair<const char*, std::size_t>>{
             {nullptr, 1}, {"Accept-Encoding", 2}, {"origin", 1}, {"Accept, Origin", 1}, {"*", 1}}) {
        http::Headers response;
        if (before != nullptr) {
            response.add("Vary", before);
        }
        for (const char* fields : {"", "Origin: https://a\r\n", "Origin: https://b\r\n"}) {
            std::string exposed;
            const http::Headers headers = edited(Cors(*spec), fields, response, exposed);
            CHECK(headers.count("vary") == after);
            CHECK((headers.has_token("vary", "origin") || headers.has_token("vary", "*")));
        }
    }
}

TEST_CASE("cors: all fields exposed: a star without credentials, their names with them") {
    http::Headers response;
    for (const char* name : {"Content-Type", "X-One", "Set-Cookie", "x-one", "Cache-Control", "Grpc-Status"}) {
        response.add(name, "1");
    }
    CHECK(actual({{"*"}, false, {}, {}, {"*"}}, origin("https://a"), response)[kFields[4]] == "*");
    CHECK(actual({{"*"}, true, {}, {}, {"*"}}, origin("https://a"), response)[kFields[4]] == "X-One, Set-Cookie, Grpc-Status, Vary");
}

namespace {

RuleSpec cors_rule(const std::string& path, const Filter& filter) {
    RuleSpec spec;
    spec.path = path;
    spec.rule.filters = std::make_unique<fb::FiltersT>();
    spec.rule.filters->cors = std::make_unique<fb::CorsT>(made(filter));
    return spec;
}

}  // namespace

TEST_CASE("cors: through the proxy: preflights stay here, actual requests reach the backend") {
    std::atomic<int> preflights = 0;
    Backend backend([&](Peer& peer) {
        for (Message request = peer.message(); request.whole; request = peer.message()) {
            preflights += request.head.starts_with("OPTIONS") && request.field("Access-Control-Request-Method") != "-";
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\n\r\nok");
        }
    });
    std::vector<RuleSpec> rules;
    rules.push_back(cors_rule("/open-no-more", {{"https://b"}}));
    rules.push_back(cors_rule("/open", {{"https://a"}, true, {"PUT"}}));
    rules.push_back(cors_rule("/gone", {{"https://a"}}));
    rules.back().backends = {{"", 1}};
    rules.push_back(cors_rule("/moved", {{"https://a"}}));
    rules.back().rule.filters->redirect = std::make_unique<fb::RedirectT>();
    rules.push_back({"/plain"});
    Edge edge(ring_kind(), http_snapshot({backend.at()}, rules));
    Peer client = edge.client();
    const auto ask = [&](const std::string& method, const std::string& path, const std::string& fields) {
        return client.ask(method + " " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
    };
    const std::string a = origin("https://a"), b = origin("https://b");

    Message answer = ask("OPTIONS", "/open", a + asks("PUT"));
    CHECK(answer.status() == 200);
    CHECK(answer.body.empty());
    CHECK(answer.field("Access-Control-Allow-Origin") == "https://a");
    CHECK(answer.field("Access-Control-Allow-Methods") == "PUT");
    answer = ask("OPTIONS", "/open", b + asks("PUT"));
    CHECK(answer.status() == 403);
    CHECK(answer.field("X-Penstock-Reason") == "cors_origin");
    CHECK(answer.field("Access-Control-Allow-Origin") == "-");
    CHECK(ask("OPTIONS", "/open-no-more", a + asks("PUT")).status() == 403);  // paths by element: another rule
    CHECK(ask("OPTIONS", "/gone", a + asks("PUT")).status() == 200);          // whatever becomes of the request itself
    CHECK(ask("OPTIONS", "/moved", a + asks("PUT")).status() == 200);
    CHECK(preflights == 0);
    CHECK(ask("OPTIONS", "/plain", a + asks("PUT")).body == "ok");
    CHECK(preflights == 1);

    answer = ask("GET", "/open", a + asks("PUT"));
    CHECK(answer.body == "ok");
    CHECK(answer.field("Access-Control-Allow-Origin") == "https://a");
    CHECK(answer.field("Access-Control-Allow-Credentials") == "true");
    CHECK(answer.field("Vary") == "Origin");
    answer = ask("GET", "/open", b);
    CHECK(answer.body == "ok");
    CHECK(answer.field("Access-Control-Allow-Origin") == "-");
    CHECK(ask("OPTIONS", "/open", a).body == "ok");  // no preflight
    // Answers of our own can be read as well.
    answer = ask("GET", "/gone", a);
    CHECK(answer.status() == 500);
    CHECK(answer.field("Access-Control-Allow-Origin") == "https://a");
    answer = ask("GET", "/moved", a);
    CHECK(answer.status() == 302);
    CHECK(answer.field("Access-Control-Allow-Origin") == "https://a");
    CHECK(ask("GET", "/plain", a).field("Access-Control-Allow-Origin") == "*");
}

TEST_CASE("cors: a preflight that no rule takes is answered for the request that it asks for") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()});
    const RuleSpec open = cors_rule("/x", {{"https://a"}, false, {"PUT"}}), closed{"/y"};
    fb::HostRoutesT part = host_routes({open, closed});
    part.matches[0]->method = part.matches[1]->method = "PUT";
    snapshot.part(fb::PartKind::Host, "all", part);
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    const auto ask = [&](const std::string& path, const std::string& fields) { return client.ask("OPTIONS " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"); };
    CHECK(ask("/x", origin("https://a") + asks("PUT")).field("Access-Control-Allow-Methods") == "PUT");
    CHECK(ask("/x", origin("https://a") + asks("GET")).status() == 404);
    CHECK(ask("/x", origin("https://a")).status() == 404);
    CHECK(ask("/y", origin("https://a") + asks("PUT")).status() == 404);
}

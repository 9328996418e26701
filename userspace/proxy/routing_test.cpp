// SPDX-License-Identifier: Apache-2.0
// Listeners, hosts and rules that a request is led to, one row for each sentence of the Gateway API; no sockets.
#include "userspace/proxy/routing.hpp"

#include "userspace/http/parser.hpp"
#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

// A listener and its routes' hosts: each path of a host is a rule.
struct HostSpec {
    std::string name;
    std::vector<RuleSpec> rules = {RuleSpec{}};
};
struct ListenerSpec {
    std::string hostname;
    std::vector<HostSpec> hosts;
};

std::shared_ptr<const Tables> tables_of(const std::vector<ListenerSpec>& listeners) {
    Snapshot snapshot;
    snapshot.backends("web", {loopback(1)});
    std::vector<std::uint32_t> numbers;
    for (const ListenerSpec& listener : listeners) {
        std::vector<std::pair<std::string, std::string>> hosts;
        for (const HostSpec& host : listener.hosts) {
            const std::string key = listener.hostname + "/" + host.name;
            snapshot.part(fb::PartKind::Host, key, host_routes(host.rules, host.name));
            hosts.emplace_back(host.name, key);
        }
        numbers.push_back(snapshot.listener(fb::ListenerMode::Https, listener.hostname, hosts));
    }
    snapshot.port(fb::PortMode::Tls, numbers);
    const auto built = snapshot.build();
    REQUIRE(built.ok());
    REQUIRE(built->failed.empty());
    return built->tables;
}

Route routed(const Tables& tables, const std::string& host, const std::string& path, const std::string& sni = "", const std::string& fields = "") {
    const std::string text = "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n";
    http::RequestParser parser;
    REQUIRE(parser.parse(text) == http::Progress::done);
    ClientFacts client;
    client.socket = "edge";
    if (!sni.empty()) {
        const Listener* const* listener = tables.ports.at("edge").listeners.find(sni);
        client.tls = true;
        client.tls_listener = listener != nullptr ? (*listener)->name : "none";
    }
    return find_route(tables, client, parser.head(), parser.head().path);
}

int status_of(const Route& route) { return route.refusal ? info(*route.refusal).status : 200; }

// "LISTENER HOST PATH" of the match, "*" for no name, or the status of the refusal.
std::string found(const Route& route) {
    const auto name = [](const std::string& text) { return text.empty() ? "*" : text; };
    return route.refusal ? std::to_string(status_of(route)) : name(route.listener->hostname) + " " + name(route.host->table->part().hostname()->str()) + " " + route.match->path()->str();
}

RuleSpec under(std::string path) {
    RuleSpec rule;
    rule.path = std::move(path);
    return rule;
}

}  // namespace

TEST_CASE("routing: a request belongs to the most specific listener and never to another one") {
    const auto tables = tables_of({{"", {{"", {under("/empty")}}}},
                                   {"*.example.com", {{"*.example.com", {under("/wild")}}}},
                                   {"*.foo.example.com", {{"*.foo.example.com", {under("/foo")}}}},
                                   {"abc.foo.example.com", {{"abc.foo.example.com", {under("/abc")}}}}});
    struct Row {
        const char *host, *path, *found;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"bar.com", "/empty", "* * /empty"},
             {"bar.com", "/wild", "404"},
             {"bar.example.com", "/wild", "*.example.com *.example.com /wild"},
             {"bar.example.com", "/empty", "404"},
             {"example.com", "/empty", "* * /empty"},  // a wildcard never stands for no label
             {"example.com", "/wild", "404"},
             {"a.b.example.com", "/wild", "*.example.com *.example.com /wild"},  // but for several
             {"foo.example.com", "/wild", "*.example.com *.example.com /wild"},
             {"bar.foo.example.com", "/foo", "*.foo.example.com *.foo.example.com /foo"},
             {"bar.foo.example.com", "/wild", "404"},
             {"a.b.foo.example.com", "/foo", "*.foo.example.com *.foo.example.com /foo"},
             {"abc.foo.example.com", "/abc", "abc.foo.example.com abc.foo.example.com /abc"},
             {"abc.foo.example.com", "/foo", "404"},
             {"abc.foo.example.com", "/wild", "404"},
             {"abc.foo.example.com", "/empty", "404"},
             {"ABC.Foo.Example.COM", "/abc", "abc.foo.example.com abc.foo.example.com /abc"},  // case plays no part
             {"abc.foo.example.com:8443", "/abc", "abc.foo.example.com abc.foo.example.com /abc"},  // nor the port
             {"abc.foo.example.com.", "/abc", "abc.foo.example.com abc.foo.example.com /abc"},
             {"192.0.2.1:80", "/empty", "* * /empty"},
             {"[2001:db8::1]:80", "/empty", "* * /empty"},
         }) {
        INFO(row.host << row.path);
        CHECK(found(routed(*tables, row.host, row.path)) == row.found);
    }
    const auto narrow = tables_of({{"a.example", {{"a.example"}}}});
    CHECK(routed(*narrow, "b.example", "/").refusal == Reason::no_host);
}

TEST_CASE("routing: the host names of routes rank rules, they choose no virtual host") {
    const auto tables = tables_of({{"", {{"very.specific.com", {under("/s1")}}, {"*.specific.com", {under("/s1"), under("/s3")}}, {"", {under("/")}}}}});
    struct Row {
        const char *host, *path, *found;
    };
    for (const Row& row : std::initializer_list<Row>{{"very.specific.com", "/s1", "* very.specific.com /s1"},
                                                     {"very.specific.com", "/s3", "* *.specific.com /s3"},  // no rule of the more specific name takes it
                                                     {"very.specific.com", "/other", "* * /"},
                                                     {"more.very.specific.com", "/s1", "* *.specific.com /s1"},
                                                     {"specific.com", "/s1", "* * /"}}) {
        INFO(row.host << row.path);
        CHECK(found(routed(*tables, row.host, row.path)) == row.found);
    }
}

TEST_CASE("routing: a host of another listener than the connection's is misdirected") {
    const auto tables = tables_of({{"", {{"example.org"}}}, {"second-example.org", {{"second-example.org"}}}, {"*.wildcard.org", {{"*.wildcard.org"}}},
                                   {"fourth-example.wildcard.org", {{"fourth-example.wildcard.org"}}}});
    struct Row {
        const char *sni, *host;
        int status;
    };
    for (const Row& row : std::initializer_list<Row>{{"example.org", "example.org", 200},
                                                     {"example.org", "second-example.org", 421},
                                                     {"example.org", "unknown-example.org", 404},
                                                     {"second-example.org", "second-example.org", 200},
                                                     {"second-example.org", "example.org", 421},
                                                     {"second-example.org", "unknown-example.org", 421},
                                                     {"third-example.wildcard.org", "third-example.wildcard.org", 200},
                                                     {"third-example.wildcard.org", "fith-example.wildcard.org", 200},
                                                     {"third-example.wildcard.org", "fourth-example.wildcard.org", 421},
                                                     {"third-example.wildcard.org", "second-example.org", 421},
                                                     {"third-example.wildcard.org", "unknown-example.org", 421},
                                                     {"fourth-example.wildcard.org", "fourth-example.wildcard.org", 200},
                                                     {"fourth-example.wildcard.org", "fith-example.wildcard.org", 421},
                                                     {"unknown-example.org", "example.org", 200},
                                                     {"unknown-example.org", "unknown-example.org", 404}}) {
        INFO(row.sni << " " << row.host);
        CHECK(status_of(routed(*tables, row.host, "/", row.sni)) == row.status);
    }
    const auto only = tables_of({{"second-example.org", {{"second-example.org"}}}});
    CHECK(status_of(routed(*only, "unknown-example.org", "/", "second-example.org")) == 404);  // a host that no listener has
}

TEST_CASE("routing: repeated header fields are one list, and Host is a field like others") {
    Snapshot snapshot = http_snapshot({loopback(1)});
    fb::HostRoutesT part = host_routes({under("/list"), under("/host")});
    for (std::size_t i = 0; i < 2; ++i) {
        part.matches[i]->headers.push_back(std::make_unique<fb::NamedMatchT>());
        part.matches[i]->headers[0]->name = i == 0 ? "x-list" : "host";
        part.matches[i]->headers[0]->value = i == 0 ? "a, b" : "h:80";
    }
    snapshot.part(fb::PartKind::Host, "all", part);
    const auto built = snapshot.build();
    REQUIRE(built.ok());
    CHECK(status_of(routed(*built->tables, "h", "/list", "", "X-List: a\r\nx-list: b\r\n")) == 200);
    CHECK(status_of(routed(*built->tables, "h", "/list", "", "X-List: a, b\r\n")) == 200);
    CHECK(status_of(routed(*built->tables, "h", "/list", "", "X-List: b\r\nX-List: a\r\n")) == 404);
    CHECK(status_of(routed(*built->tables, "h:80", "/host")) == 200);
    CHECK(status_of(routed(*built->tables, "h", "/host")) == 404);
}

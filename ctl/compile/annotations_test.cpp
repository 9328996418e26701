// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/annotations.hpp"

#include <fstream>
#include <set>
#include <sstream>

#include "tools/test/catch.hpp"

namespace penstock::compile {
namespace {

constexpr const char* kDocument = "../../docs/reference/extensions.md";

template <class Settings>
void add_rows(const std::vector<Annotation<Settings>>& table, std::set<std::string>& rows) {
    for (const auto& entry : table) {
        rows.insert("| `" + std::string(kAnnotationPrefix) + std::string(entry.name) + "` | " + std::string(entry.values) + " | " + std::string(entry.effect) + " |");
    }
}

}  // namespace

TEST_CASE("annotations: the documentation has the tables' rows and no other") {
    std::set<std::string> wanted;
    add_rows(gateway_annotations(), wanted);
    add_rows(class_annotations(), wanted);
    add_rows(service_annotations(), wanted);
    add_rows(tls_options(), wanted);
    std::ifstream file(kDocument);
    std::set<std::string> found;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("| `" + std::string(kAnnotationPrefix))) {
            found.insert(line);
        }
    }
    for (const std::string& row : wanted) {
        INFO("missing: " << row);
        CHECK(found.contains(row));
    }
    for (const std::string& row : found) {
        INFO("not in a table: " << row);
        CHECK(wanted.contains(row));
    }
}

TEST_CASE("annotations: each row's reader takes what it says and nothing else") {
    struct Row {
        const char* name;
        const char* good;
        const char* bad;
    };
    ClassSettings edge;
    ServiceSettings service;
    TlsSettings tls;
    const auto fault = [&](const std::string& name, const std::string& value) {
        const model::Labels one = {{std::string(kAnnotationPrefix) + name, value}};
        const bool of_tls = name.starts_with("tls-");
        const AnnotationFaults faults = of_tls ? read_tls_options(one, tls) : read_class(one, edge);
        return of_tls || !faults.unknown.size() ? !faults.bad_values.empty() : !read_service(one, service).bad_values.empty();
    };
    const Row rows[] = {
        {"header-bytes-max", "1Mi", "1023"}, {"headers-max", "1000", "0"}, {"body-bytes-max", "0", "-1"}, {"request-header-timeout", "100ms", "99ms"},
        {"idle-timeout", "24h", "25h"}, {"body-stall-timeout", "1m", "1"}, {"backend-connect-timeout", "1s", "s"}, {"udp-idle-timeout", "1h", ""},
        {"requests-per-connection-max", "1000", "1k"}, {"connections-per-source-max", "0", "1000001"}, {"streams-max", "1", "0"},
        {"retry-body-bytes-max", "16Mi", "17Mi"}, {"proxy-protocol", "any", "v3"}, {"trusted-hops", "16", "17"}, {"via", "edge.example", "a b"}, {"connections-max", "1", "0"},
        {"drain-timeout", "5s", "0s"}, {"backend-idle-timeout", "5s", "soon"}, {"backend-idle-connections-max", "0", "10001"}, {"retry-budget", "100%", "101%"},
        {"retry-budget-min", "0", "x"}, {"access-log", "off", "on"}, {"access-log-sample", "0.5%", "0.5"}, {"access-log-query", "on", "yes"}, {"tracing-service", "a/b:1", "a/b"},
        {"tracing-path", "/v1", "v1"}, {"tracing-sample", "100%", "200%"}, {"tracing-name", "edge", ""}, {"balance", "consistent", "hash"},
        {"balance-header", "X-User", "X User"}, {"eject-failures", "0", "1001"}, {"eject-time", "1h", "2h"}, {"eject-max", "0%", "1.5%"},
        {"tls-min-version", "1.2", "1.1"}, {"tls-max-version", "1.3", "3"}, {"tls-ciphers", "TLS_AES_128_GCM_SHA256", "NULL"}, {"tls-groups", "P-384", "P-384:P-256"},
        {"tls-tickets", "off", "false"}, {"tls-alpn", "h2,http/1.1", "h2c"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        if (std::string_view(row.name) != "balance-header") {  // good only beside balance
            CHECK_FALSE(fault(row.name, row.good));
        }
        CHECK(fault(row.name, row.bad));
    }
    const std::size_t names = gateway_annotations().size() + class_annotations().size() + service_annotations().size() + tls_options().size();
    CHECK(std::size(rows) == names - 2);  // connections-max and proxy-protocol are both an edge's and a Service's
    CHECK(fault("tracing-service", "a/b:0"));
    CHECK(fault("tracing-service", "a:1"));
}

}  // namespace penstock::compile

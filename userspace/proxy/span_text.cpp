// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/span_text.hpp"

#include <algorithm>
#include <array>

#include "userspace/base/version.hpp"
#include "userspace/match/host_index.hpp"
#include "userspace/proxy/access_line.hpp"

namespace penstock::proxy {

namespace {

// Methods that may name a span; others are strangers' inventions, of which there is no end.
std::string_view known_method(std::string_view method) {
    static constexpr std::array<std::string_view, 9> kKnown = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"};
    return std::find(kKnown.begin(), kKnown.end(), method) != kKnown.end() ? method : std::string_view();
}

class Attributes {
public:
    explicit Attributes(std::string& out) : out_(out) {}
    void string(std::string_view key, std::string_view value) {
        if (!value.empty()) {
            begin(key);
            out_ += "{\"stringValue\":\"";
            append_json(out_, value);
            out_ += "\"}}";
        }
    }
    void number(std::string_view key, std::uint64_t value) {
        begin(key);
        out_ += "{\"intValue\":\"" + std::to_string(value) + "\"}}";
    }

private:
    void begin(std::string_view key) {
        out_ += first_ ? "{\"key\":\"" : ",{\"key\":\"";
        first_ = false;
        out_ += key;
        out_ += "\",\"value\":";
    }
    std::string& out_;
    bool first_ = true;
};

void write_http(Attributes& attributes, const Record& record) {
    const std::string_view target = record.head.target();
    const std::size_t question = target.find('?');
    const std::string_view known = known_method(record.head.method());
    attributes.string("http.request.method", known.empty() ? "_OTHER" : known);
    if (known.empty()) {
        attributes.string("http.request.method_original", record.head.method());
    }
    attributes.string("url.scheme", record.client->tls ? "https" : "http");
    attributes.string("url.path", target.substr(0, question));
    attributes.string("server.address", match::normal_host(record.head.host()));
    attributes.number("server.port", record.client->port);
    attributes.string("client.address", record.client_address());
    attributes.string("network.protocol.version", record.version == HttpVersion::http2 ? "2" : record.version == HttpVersion::http11 ? "1.1" : "1.0");
    attributes.string("user_agent.original", record.head.user_agent());
    if (record.status != 0) {
        attributes.number("http.response.status_code", static_cast<std::uint64_t>(record.status));
    }
    if (record.match != nullptr) {
        attributes.string("http.route", record.match->path()->string_view());
    }
}

void write_ours(Attributes& attributes, const Record& record) {
    if (record.listener != nullptr) {
        attributes.string("penstock.listener", record.listener->name);
    }
    if (record.rule != nullptr) {
        attributes.string("penstock.route", fb::path_of(*record.rule->spec->object()));
        attributes.number("penstock.rule", record.rule->spec->index());
    }
    if (record.set != nullptr) {
        attributes.string("penstock.service", record.set->name);
        attributes.number("penstock.attempts", record.attempts);
    }
    if (record.endpoint.port != 0) {
        attributes.string("penstock.endpoint", record.endpoint.text());
    }
    attributes.string("penstock.request_id", record.request_id);
    if (record.reason) {
        attributes.string("penstock.reason", info(*record.reason).name);
    }
}

}  // namespace

void write_span(std::string& out, const Record& record, std::int64_t unix_ns) {
    const std::string_view known = known_method(record.head.method());
    const auto duration = std::chrono::duration_cast<std::chrono::nanoseconds>(record.done - record.began).count();
    const bool failed = record.status >= 500 || record.status == 0;
    out += "{\"traceId\":\"";
    out += record.trace->trace_id();
    out += "\",\"spanId\":\"";
    out += record.trace->span_id();
    if (!record.trace->parent_id().empty()) {
        out += "\",\"parentSpanId\":\"";
        out += record.trace->parent_id();
    }
    out += "\",\"name\":\"";
    out += known.empty() ? "HTTP" : known;
    if (record.match != nullptr) {
        out += ' ';
        append_json(out, record.match->path()->string_view());
    }
    out += "\",\"kind\":2,\"startTimeUnixNano\":\"" + std::to_string(unix_ns - duration) + "\",\"endTimeUnixNano\":\"" + std::to_string(unix_ns) + "\",\"attributes\":[";
    Attributes attributes(out);
    write_http(attributes, record);
    write_ours(attributes, record);
    if (failed) {
        attributes.string("error.type", record.reason ? std::string(info(*record.reason).name) : std::to_string(record.status));
    }
    out += failed ? "],\"status\":{\"code\":2}}" : "],\"status\":{}}";
}

std::string export_request(std::string_view service_name, std::string_view spans) {
    std::string out = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[";
    Attributes(out).string("service.name", service_name);
    out += "]},\"scopeSpans\":[{\"scope\":{\"name\":\"penstock\",\"version\":\"";
    append_json(out, kVersion);
    out += "\"},\"spans\":[";
    out += spans;
    out += "]}]}]}";
    return out;
}

}  // namespace penstock::proxy

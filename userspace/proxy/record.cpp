// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/record.hpp"

#include "userspace/proxy/context.hpp"

namespace penstock::proxy {

namespace {

constexpr std::size_t kTextMax = 8192;  // of one part; a log line is no place for more

// Of the connection; null: its host would have to say.
const Listener* listener_of(const Tables& tables, const ClientFacts& client) {
    const auto port = tables.ports.find(client.socket);
    const Listener* const* found = port == tables.ports.end() ? nullptr : port->second.listeners.find(client.tls ? client.server_name : std::string());
    return found == nullptr ? nullptr : *found;
}

// A tunnel lasts as long as its ends like: that is no latency.
bool has_duration(const Record& record) { return record.status != 0 && record.status != 101; }

}  // namespace

void HeadText::keep(const http::RequestHead& head, bool query) {
    const std::size_t question = head.target.find('?');
    const std::string_view target = query || question == std::string_view::npos ? head.target : head.target.substr(0, question + 1);
    const std::array<std::string_view, 4> parts = {head.method, target, head.host, head.headers.find("user-agent").value_or("")};
    text_.clear();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        text_ += parts[i].substr(0, kTextMax);
        ends_[i] = static_cast<std::uint32_t>(text_.size());
    }
}

void begin(Context& context, Record& record, const Tables& tables, const ClientSide& client, const http::RequestHead& head, std::string_view request_id) {
    record.tables = &tables;
    record.client = &client.facts();
    record.version = client.version();
    record.request_id = request_id;
    record.began = context.loop.now();
    if (tables.access_log || tables.tracing) {
        record.head.keep(head, tables.access_log && tables.access_log->query);
    }
    if (tables.tracing) {
        const std::uint32_t share = tables.tracing->sample_per_million;
        record.trace.emplace().begin(traceparent_of(head.headers), [&] { return context.next_random(); }, [&] { return context.next_random() % 1'000'000 < share; });
    }
}

void tell_unread(Context& context, const ClientFacts& client, const Unread& unread) {
    if (context.tables->access_log) {
        Record record;
        record.client = &client;
        record.version = unread.version;
        record.listener = listener_of(*context.tables, client);
        record.began = record.done = context.loop.now();
        record.status = unread.status;
        record.request_id = unread.request_id;
        record.bytes_in = unread.bytes_in;
        record.bytes_out = unread.bytes_out;
        record.fail(unread.reason);
        context.access_log.write(record, *context.tables->access_log, context.next_random());
    }
}

void count_attempt(Context& context, const Record& record) {
    if (record.set == nullptr || record.connected == ring::kNever) {
        return;
    }
    SetStats& stats = context.set(record.set->id);
    count(stats.status_class[status_class_of(record.backend_status)]);
    if (record.first_byte != ring::kNever && record.backend_status != 101) {
        count(stats.durations, microseconds_between(record.chosen, record.first_byte));
    }
}

void tell(Context& context, Record& record) {
    record.done = context.loop.now();
    const std::size_t status_class = status_class_of(record.status);
    const std::uint64_t us = microseconds_between(record.began, record.done);
    if (record.listener != nullptr) {
        ListenerStats& stats = context.listener(record.listener->id);
        count(stats.status_class[status_class]);
        if (has_duration(record)) {
            count(stats.durations, us);
        }
    }
    if (record.rule != nullptr) {
        RuleStats& stats = context.rule(record.rule->spec->id());
        count(stats.status_class[status_class]);
        if (has_duration(record)) {
            count(stats.durations, us);
        }
        if (record.attempts > 1) {
            count(stats.retries, record.attempts - 1);
        }
    }
    if (record.tables->access_log) {
        context.access_log.write(record, *record.tables->access_log, context.next_random());
    }
    if (record.trace && record.trace->sampled()) {
        context.spans.put(record);
    }
}

}  // namespace penstock::proxy

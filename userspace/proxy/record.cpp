// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/record.hpp"

#include "userspace/proxy/context.hpp"

namespace penstock::proxy {

namespace {

// A tunnel lasts as long as its ends like: that is no latency.
bool has_duration(const Record& record) { return record.status != 0 && record.status != 101; }

}  // namespace

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
        RuleStats& stats = context.rule(record.rule->spec->id);
        count(stats.status_class[status_class]);
        if (has_duration(record)) {
            count(stats.durations, us);
        }
        if (record.attempts > 1) {
            count(stats.retries, record.attempts - 1);
        }
    }
}

}  // namespace penstock::proxy

// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/metrics_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "bpf/abi/pst_verdicts.h"
#include "userspace/base/version.hpp"

namespace penstock::proxy {

namespace {

constexpr std::array<std::string_view, kStatusClasses> kCodes = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
// Of the histograms: two powers of two each, from 256 us to 67 s.
constexpr std::size_t kFirstBucket = 4, kBucketStep = 4;
static_assert(duration_bucket_end_us(kFirstBucket) == 256 && duration_bucket_end_us(kFirstBucket + kBucketStep) == 1024);

std::string_view type_name(MetricType type) {
    switch (type) {
        case MetricType::counter: return "counter";
        case MetricType::gauge: return "gauge";
        case MetricType::histogram: return "histogram";
    }
    return "";
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        if (letter == '\n') {
            out += "\\n";
            continue;
        }
        if (letter == '\\' || letter == '"') {
            out += '\\';
        }
        out += letter;
    }
    return out;
}

std::string label(std::string_view name, std::string_view value) { return fmt::format("{}=\"{}\"", name, escaped(value)); }

void write_row(std::string& out, Metric metric, std::string_view labels, std::uint64_t value) {
    if (labels.empty()) {
        fmt::format_to(std::back_inserter(out), "{} {}\n", info(metric).name, value);
    } else {
        fmt::format_to(std::back_inserter(out), "{}{{{}}} {}\n", info(metric).name, labels, value);
    }
}

std::string seconds(std::uint64_t us) { return fmt::format("{}.{:06}", us / 1'000'000, us % 1'000'000); }

// A sum over several ids of one kind, by a function that gives the sum of one counter.
template <class SumOf>
void write_codes(std::string& out, Metric metric, const std::string& labels, const SumOf& sum_of) {
    for (std::size_t i = 0; i < kStatusClasses; ++i) {
        write_row(out, metric, fmt::format("{},{}", labels, label("code", kCodes[i])), sum_of(i));
    }
}

template <class SumOf>
void write_histogram(std::string& out, Metric metric, const std::string& labels, std::uint64_t sum_us, const SumOf& sum_of) {
    const std::string_view name = info(metric).name;
    std::uint64_t total = 0;
    std::size_t bucket = 0;
    for (std::size_t last = kFirstBucket; last + 1 < kDurationBuckets; last += kBucketStep) {
        for (; bucket <= last; ++bucket) {
            total += sum_of(bucket);
        }
        fmt::format_to(std::back_inserter(out), "{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, seconds(duration_bucket_end_us(last)), total);
    }
    for (; bucket < kDurationBuckets; ++bucket) {
        total += sum_of(bucket);
    }
    fmt::format_to(std::back_inserter(out), "{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n", name, labels, total, seconds(sum_us));
}

std::size_t rows_of(std::size_t things) { return std::min(things, kMetricsRowsMax + 1); }

}  // namespace

MetricsText::MetricsText(const StatsPage& page, std::shared_ptr<const Tables> tables) : page_(page), tables_(std::move(tables)), rules_(tables_->counted.rules()), sets_(tables_->counted.sets()) {
    for (std::size_t i = 0; i < sets_.size(); ++i) {
        if (i == 0 || sets_[i]->name != sets_[i - 1]->name) {
            services_.push_back(i);
        }
    }
    services_.push_back(sets_.size());
    add_process();
    add_tls();
    add_reasons();
    add_listeners();
    add_rules();
    add_services();
    add_total(Metric::log_lines, &SlotStats::log_lines);
    add_total(Metric::log_lines_lost, &SlotStats::log_lines_lost);
    add_total(Metric::spans_exported, &SlotStats::spans_exported);
    add_total(Metric::spans_lost, &SlotStats::spans_lost);
    add_daemon();
}

bool MetricsText::next(std::string& out) {
    const std::size_t full = out.size() + kPiece;
    for (; family_ < families_.size(); ++family_, row_ = 0) {
        const Family& family = families_[family_];
        if (row_ == 0 && family.rows != 0) {
            const MetricInfo& about = info(family.metric);
            fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", about.name, about.text, about.name, type_name(about.type));
        }
        while (row_ < family.rows) {
            family.write(out, row_++);
            if (out.size() >= full) {
                return true;
            }
        }
    }
    return false;
}

std::uint64_t MetricsText::sum(const Pick& pick) const {
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < std::min(page_.slots, kStatsSlotsMax); ++i) {
        total += pick(page_.slot[i]).load(std::memory_order_relaxed);
    }
    return total;
}

void MetricsText::add_total(Metric metric, Counter SlotStats::*member) {
    add(metric, 1, [this, metric, member](std::string& out, std::size_t) {
        write_row(out, metric, {}, sum([member](const SlotStats& slot) -> const Counter& { return slot.*member; }));
    });
}

void MetricsText::add_process() {
    add(Metric::build_info, 1, [](std::string& out, std::size_t) {
        write_row(out, Metric::build_info, label("version", kVersion) + "," + label("commit", kCommit), 1);
    });
    add(Metric::generation, 1, [this](std::string& out, std::size_t) {
        std::uint64_t least = tables_->generation;
        for (std::uint32_t i = 0; i < std::min(page_.slots, kStatsSlotsMax); ++i) {
            least = std::min<std::uint64_t>(least, page_.slot[i].generation.load(std::memory_order_relaxed));
        }
        write_row(out, Metric::generation, {}, least);
    });
    add(Metric::threads, 1, [this](std::string& out, std::size_t) { write_row(out, Metric::threads, {}, page_.slots); });
    add_total(Metric::connections_open, &SlotStats::connections_open);
    add_total(Metric::spliced_bytes, &SlotStats::spliced_bytes_total);
}

void MetricsText::add_tls() {
    struct Row {
        Metric metric;
        std::string_view name, value;
        Counter SlotStats::*member;
    };
    static constexpr std::array kRows = {Row{Metric::tls_connections, "records", "openssl", &SlotStats::tls_openssl_total},
                                         Row{Metric::tls_connections, "records", "own", &SlotStats::tls_own_total},
                                         Row{Metric::ktls_connections, "direction", "write", &SlotStats::ktls_write_total},
                                         Row{Metric::ktls_connections, "direction", "read", &SlotStats::ktls_read_total}};
    for (std::size_t first = 0; first < kRows.size(); first += 2) {
        add(kRows[first].metric, 2, [this, first](std::string& out, std::size_t row) {
            const Row& one = kRows[first + row];
            write_row(out, one.metric, label(one.name, one.value), sum([&](const SlotStats& slot) -> const Counter& { return slot.*one.member; }));
        });
    }
}

void MetricsText::add_reasons() {
    add(Metric::refused, kReasonCount, [this](std::string& out, std::size_t row) {
        write_row(out, Metric::refused, label("reason", kReasons[row].name), sum([row](const SlotStats& slot) -> const Counter& { return slot.reasons[row]; }));
    });
}

// ---- by listener, rule and service ------------------------------------------------------------------------------------------------
void MetricsText::add_listeners() {
    const std::size_t rows = tables_->listeners.size();
    const auto stats_of = [this](std::size_t row) {
        return [id = tables_->listeners[row]->id](const SlotStats& slot) -> const ListenerStats& { return slot.listeners[id % kStatsListenersMax]; };
    };
    const auto labels_of = [this](std::size_t row) { return label("listener", tables_->listeners[row]->name); };
    const auto add_counter = [&](Metric metric, Counter ListenerStats::*member) {
        add(metric, rows, [this, metric, member, stats_of, labels_of](std::string& out, std::size_t row) {
            const auto stats = stats_of(row);
            write_row(out, metric, labels_of(row), sum([&](const SlotStats& slot) -> const Counter& { return stats(slot).*member; }));
        });
    };
    add_counter(Metric::listener_connections, &ListenerStats::connections);
    add_counter(Metric::listener_received, &ListenerStats::bytes_in);
    add_counter(Metric::listener_sent, &ListenerStats::bytes_out);
    add(Metric::listener_tls, rows, [this, stats_of, labels_of](std::string& out, std::size_t row) {
        const auto stats = stats_of(row);
        for (const auto& [result, member] : {std::pair("full", &ListenerStats::tls_full), {"resumed", &ListenerStats::tls_resumed}, {"failed", &ListenerStats::tls_failed}}) {
            write_row(out, Metric::listener_tls, labels_of(row) + "," + label("result", result),
                      sum([&, chosen = member](const SlotStats& slot) -> const Counter& { return stats(slot).*chosen; }));
        }
    });
    add(Metric::listener_requests, rows, [this, stats_of, labels_of](std::string& out, std::size_t row) {
        const auto stats = stats_of(row);
        write_codes(out, Metric::listener_requests, labels_of(row), [&](std::size_t i) {
            return sum([&](const SlotStats& slot) -> const Counter& { return stats(slot).status_class[i]; });
        });
    });
    add(Metric::listener_duration, rows, [this, stats_of, labels_of](std::string& out, std::size_t row) {
        const auto stats = stats_of(row);
        write_histogram(out, Metric::listener_duration, labels_of(row), sum([&](const SlotStats& slot) -> const Counter& { return stats(slot).durations.sum_us; }),
                        [&](std::size_t i) { return sum([&](const SlotStats& slot) -> const Counter& { return stats(slot).durations.buckets[i]; }); });
    });
}

// What a row is of: one thing, or all beyond the rows.
std::size_t end_of_row(std::size_t row, std::size_t things) { return row < kMetricsRowsMax ? row + 1 : things; }

std::string MetricsText::rule_labels(std::size_t row) const {
    if (row >= kMetricsRowsMax) {
        return R"(route="_other",rule="")";
    }
    const fb::Rule& rule = *rules_[row];
    return label("route", fb::path_of(*rule.object())) + fmt::format(",rule=\"{}\"", rule.index());
}

void MetricsText::add_rules() {
    const std::size_t rows = rows_of(rules_.size());
    const auto total = [this](std::size_t row, auto pick) {
        std::uint64_t all = 0;
        for (std::size_t i = row; i < end_of_row(row, rules_.size()); ++i) {
            all += sum([&, id = rules_[i]->id()](const SlotStats& slot) -> const Counter& { return pick(slot.rules[id % kStatsRulesMax]); });
        }
        return all;
    };
    add(Metric::route_requests, rows, [this, total](std::string& out, std::size_t row) {
        write_codes(out, Metric::route_requests, rule_labels(row),
                    [&](std::size_t i) { return total(row, [i](const RuleStats& stats) -> const Counter& { return stats.status_class[i]; }); });
    });
    add(Metric::route_retries, rows, [this, total](std::string& out, std::size_t row) {
        write_row(out, Metric::route_retries, rule_labels(row), total(row, [](const RuleStats& stats) -> const Counter& { return stats.retries; }));
    });
    add(Metric::route_duration, rows, [this, total](std::string& out, std::size_t row) {
        write_histogram(out, Metric::route_duration, rule_labels(row), total(row, [](const RuleStats& stats) -> const Counter& { return stats.durations.sum_us; }),
                        [&](std::size_t i) { return total(row, [i](const RuleStats& stats) -> const Counter& { return stats.durations.buckets[i]; }); });
    });
}

std::string MetricsText::service_labels(std::size_t row) const {
    return row >= kMetricsRowsMax ? R"(service="_other")" : label("service", sets_[services_[row]]->name);
}

void MetricsText::add_services() {
    const std::size_t count = services_.size() - 1;
    const std::size_t rows = rows_of(count);
    const auto total = [this, count](std::size_t row, auto pick) {
        std::uint64_t all = 0;
        for (std::size_t i = services_[row]; i < services_[end_of_row(row, count)]; ++i) {
            all += sum([&, id = sets_[i]->id](const SlotStats& slot) -> const Counter& { return pick(slot.sets[id % kStatsSetsMax]); });
        }
        return all;
    };
    add(Metric::service_requests, rows, [this, total](std::string& out, std::size_t row) {
        write_codes(out, Metric::service_requests, service_labels(row),
                    [&](std::size_t i) { return total(row, [i](const SetStats& stats) -> const Counter& { return stats.status_class[i]; }); });
    });
    for (const auto& [metric, member] : {std::pair(Metric::service_connections, &SetStats::connections), {Metric::service_reused, &SetStats::reused},
                                         {Metric::service_failures, &SetStats::connect_failures}}) {
        add(metric, rows, [this, total, metric = metric, member = member](std::string& out, std::size_t row) {
            write_row(out, metric, service_labels(row), total(row, [member](const SetStats& stats) -> const Counter& { return stats.*member; }));
        });
    }
    add(Metric::service_duration, rows, [this, total](std::string& out, std::size_t row) {
        write_histogram(out, Metric::service_duration, service_labels(row), total(row, [](const SetStats& stats) -> const Counter& { return stats.durations.sum_us; }),
                        [&](std::size_t i) { return total(row, [i](const SetStats& stats) -> const Counter& { return stats.durations.buckets[i]; }); });
    });
}

// ---- of the daemon ----------------------------------------------------------------------------------------------------------------
void MetricsText::add_daemon() {
    struct Verdict {
        std::string_view name, kind;
    };
    static constexpr std::array kVerdicts = {
#define PST_X(name, class_, text) Verdict{#name, #class_},
        PST_VERDICTS(PST_X)
#undef PST_X
    };
    static_assert(kVerdicts.size() <= kStatsVerdictsMax);
    add(Metric::packets, kVerdicts.size(), [this](std::string& out, std::size_t row) {
        write_row(out, Metric::packets, label("verdict", kVerdicts[row].name) + "," + label("class", kVerdicts[row].kind), page_.daemon.verdicts[row].load(std::memory_order_relaxed));
    });
    add(Metric::reconciles, 2, [this](std::string& out, std::size_t row) {
        const Counter& count = row == 0 ? page_.daemon.reconciles_event : page_.daemon.reconciles_resync;
        write_row(out, Metric::reconciles, label("cause", row == 0 ? "event" : "resync"), count.load(std::memory_order_relaxed));
    });
    add(Metric::resync_repairs, 1,
        [this](std::string& out, std::size_t) { write_row(out, Metric::resync_repairs, {}, page_.daemon.resync_repairs.load(std::memory_order_relaxed)); });
    add(Metric::not_good, 1, [this](std::string& out, std::size_t) { write_row(out, Metric::not_good, {}, page_.daemon.not_good.load(std::memory_order_relaxed)); });
    add(Metric::errors, 1, [this](std::string& out, std::size_t) { write_row(out, Metric::errors, {}, page_.daemon.errors.load(std::memory_order_relaxed)); });
    for (const auto& [metric, counter] : {std::pair{Metric::addresses_held, &page_.daemon.addresses_held},
                                          {Metric::address_takeovers, &page_.daemon.address_takeovers},
                                          {Metric::addresses_yielded, &page_.daemon.addresses_yielded},
                                          {Metric::nodes_reporting, &page_.daemon.nodes_reporting},
                                          {Metric::objects_not_everywhere, &page_.daemon.objects_not_everywhere},
                                          {Metric::node_reports_written, &page_.daemon.node_reports_written}}) {
        add(metric, 1, [metric = metric, counter = counter](std::string& out, std::size_t) { write_row(out, metric, {}, counter->load(std::memory_order_relaxed)); });
    }
}

}  // namespace penstock::proxy

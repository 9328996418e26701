// SPDX-License-Identifier: Apache-2.0
// The stats page as Prometheus' text format 0.0.4, under the names that the tables have. Given out in pieces, so that a scrape of
// thousands of rows never keeps a thread from serving for longer than one piece takes. Pure, but that others write the page meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "schema/metrics.hpp"
#include "schema/stats_page.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

class MetricsText {
public:
    static constexpr std::size_t kPiece = 16384;  // bytes; a piece ends with the row that reaches it

    // `page` stays the caller's.
    MetricsText(const StatsPage& page, std::shared_ptr<const Tables> tables);
    MetricsText(const MetricsText&) = delete;

    // Appends the next piece. False: that was the last one.
    bool next(std::string& out);

private:
    struct Family {
        Metric metric;
        std::size_t rows;
        std::function<void(std::string&, std::size_t row)> write;
    };
    using Pick = std::function<const Counter&(const SlotStats&)>;

    void add(Metric metric, std::size_t rows, std::function<void(std::string&, std::size_t)> write) { families_.push_back({metric, rows, std::move(write)}); }
    void add_total(Metric metric, Counter SlotStats::*member);
    void add_process();
    void add_tls();
    void add_reasons();
    void add_listeners();
    void add_rules();
    void add_services();
    void add_daemon();
    [[nodiscard]] std::uint64_t sum(const Pick& pick) const;
    [[nodiscard]] std::string rule_labels(std::size_t row) const;
    [[nodiscard]] std::string service_labels(std::size_t row) const;

    const StatsPage& page_;
    std::shared_ptr<const Tables> tables_;
    std::vector<const fb::Rule*> rules_;                         // of the tables, as the next
    std::vector<const BackendSet*> sets_;
    std::vector<std::size_t> services_;                           // where the sets of each begin; then the end of the last
    std::vector<Family> families_;
    std::size_t family_ = 0, row_ = 0;
};

}  // namespace penstock::proxy

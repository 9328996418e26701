// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/top_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/text_table.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

constexpr std::size_t kClientErrors = 4, kServerErrors = 5;  // of status_class

std::uint64_t number_in(const json& list, std::size_t index) {
    return list.is_array() && index < list.size() && list[index].is_number_unsigned() ? list[index].get<std::uint64_t>() : 0;
}

// One row of a list then and now. A counter that has gone back began anew.
class Change {
public:
    Change(const json& before, const json& after, double seconds, const json& bucket_ends) : before_(before), after_(after), seconds_(seconds), bucket_ends_(bucket_ends) {}

    [[nodiscard]] double rate(const char* name) const { return per_second(count_at(before_, {name}), count_at(after_, {name})); }
    [[nodiscard]] double rate_of_class(std::size_t index) const { return per_second(number_in(at(before_, {"status_class"}), index), number_in(at(after_, {"status_class"}), index)); }
    [[nodiscard]] double rate_of_classes() const {
        double all = 0;
        for (std::size_t i = 0; i < list_at(after_, {"status_class"}).size(); ++i) {
            all += rate_of_class(i);
        }
        return all;
    }
    // Microseconds that this share of the requests took no longer than: the end of a bucket, or the last bucket's beginning.
    [[nodiscard]] json quantile(double share) const {
        const json& now = list_at(after_, {"durations", "buckets"});
        const json& then = list_at(before_, {"durations", "buckets"});
        std::vector<std::uint64_t> counts;
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < now.size(); ++i) {
            counts.push_back(difference(number_in(then, i), number_in(now, i)));
            total += counts.back();
        }
        std::uint64_t sum = 0;
        for (std::size_t i = 0; total != 0 && i < counts.size(); ++i) {
            sum += counts[i];
            if (static_cast<double>(sum) >= share * static_cast<double>(total)) {
                return number_in(bucket_ends_, std::min(i, bucket_ends_.size() - 1));
            }
        }
        return nullptr;
    }

private:
    static std::uint64_t difference(std::uint64_t before, std::uint64_t after) { return after >= before ? after - before : after; }
    [[nodiscard]] double per_second(std::uint64_t before, std::uint64_t after) const { return static_cast<double>(difference(before, after)) / seconds_; }

    const json& before_;
    const json& after_;
    double seconds_;
    const json& bucket_ends_;
};

std::string name_of(const json& object) { return text_at(object, {"kind"}) + " " + text_at(object, {"namespace"}) + "/" + text_at(object, {"name"}); }

json listener_rates(const json& row, const Change& change) {
    return {{"name", text_at(row, {"name"})},
            {"rate", change.rate_of_classes()},
            {"connections", change.rate("connections")},
            {"bytes_in", change.rate("bytes_in")},
            {"bytes_out", change.rate("bytes_out")},
            {"tls_full", change.rate("tls_full")},
            {"tls_resumed", change.rate("tls_resumed")},
            {"tls_failed", change.rate("tls_failed")}};
}

json rule_rates(const json& row, const Change& change) {
    const bool shared = !at(row, {"object", "name"}).is_string();
    return {{"name", shared ? "all others" : name_of(at(row, {"object"})) + "#" + text_at(row, {"rule"})}, {"rate", change.rate_of_classes()}, {"retries", change.rate("retries")}};
}

json service_rates(const json& row, const Change& change) {
    return {{"name", name_of(at(row, {"object"})) + ":" + text_at(row, {"port"})},
            {"rate", change.rate_of_classes()},
            {"connections", change.rate("connections")},
            {"reused", change.rate("reused")},
            {"connect_failures", change.rate("connect_failures")}};
}

json reason_rates(const json& row, const Change& change) { return {{"name", text_at(row, {"name"})}, {"rate", change.rate("count")}, {"text", text_at(row, {"text"})}}; }

using Rates = json (*)(const json& row, const Change& change);

// Rows are the same thing if their `key` is equal.
json rates_in(const json& before, const json& after, const char* list, const char* key, double seconds, Rates rates) {
    const json& then = list_at(before, {list});
    const json nothing = json::object();
    json out = json::array();
    for (const json& row : list_at(after, {list})) {
        const auto same = std::find_if(then.begin(), then.end(), [&](const json& old) { return at(old, {key}) == at(row, {key}); });
        const Change change(same != then.end() ? *same : nothing, row, seconds, list_at(after, {"bucket_ends_us"}));
        json made = rates(row, change);
        if (row.contains("status_class")) {
            made.update({{"client_errors", change.rate_of_class(kClientErrors)}, {"server_errors", change.rate_of_class(kServerErrors)},
                         {"unanswered", change.rate_of_class(0)}, {"p50_us", change.quantile(0.5)}, {"p99_us", change.quantile(0.99)}});
        }
        out.push_back(std::move(made));
    }
    return out;
}

void busiest_first(json& rows) {
    std::sort(rows.begin(), rows.end(), [](const json& one, const json& other) {
        const double rates[] = {one["rate"].get<double>(), other["rate"].get<double>()};
        return rates[0] != rates[1] ? rates[0] > rates[1] : one["name"].get<std::string>() < other["name"].get<std::string>();
    });
}

void without_idle(json& rows) {
    rows.erase(std::remove_if(rows.begin(), rows.end(), [](const json& row) { return row["rate"].get<double>() == 0; }), rows.end());
}

// ---- text -----------------------------------------------------------------------------------------------------------------
double rate_in(const json& row, const char* name) {
    const json& found = at(row, {name});
    return found.is_number() ? found.get<double>() : 0;
}

std::string shown(double rate) { return rate == 0 ? "-" : rate < 10 ? fmt::format("{:.1f}", rate) : fmt::format("{:.0f}", rate); }

std::string shown(const json& row, const char* name) { return shown(rate_in(row, name)); }

std::string bytes(const json& row, const char* name) {
    double rate = rate_in(row, name);
    for (const char* unit : {"", "K", "M"}) {
        if (rate < 10'000) {
            return shown(rate) + (rate == 0 ? "" : unit);
        }
        rate /= 1000;
    }
    return shown(rate) + "G";
}

std::string duration(const json& row, const char* name) {
    const json& us = at(row, {name});
    if (!us.is_number_unsigned()) {
        return "-";
    }
    const auto value = us.get<std::uint64_t>();
    return value < 1000 ? fmt::format("{}us", value) : value < 1'000'000 ? fmt::format("{:.1f}ms", static_cast<double>(value) / 1e3) : fmt::format("{:.1f}s", static_cast<double>(value) / 1e6);
}

using Row = std::vector<std::string> (*)(const json&);

void add_table(std::string& out, const json& rows, std::size_t rows_max, std::vector<std::string> heading, Row row) {
    TextTable table(std::move(heading));
    for (std::size_t i = 0; i < std::min(rows.size(), rows_max); ++i) {
        table.add(row(rows[i]));
    }
    if (!table.empty()) {
        out += "\n" + table.text() + (rows.size() > rows_max ? fmt::format("and {} more\n", rows.size() - rows_max) : "");
    }
}

std::vector<std::string> listener_row(const json& row) {
    return {text_at(row, {"name"}),       shown(row, "rate"),     shown(row, "client_errors"), shown(row, "server_errors"), duration(row, "p50_us"), duration(row, "p99_us"),
            shown(row, "connections"), bytes(row, "bytes_in"), bytes(row, "bytes_out"),     shown(row, "tls_full"),      shown(row, "tls_resumed"), shown(row, "tls_failed")};
}

std::vector<std::string> route_row(const json& row) {
    return {text_at(row, {"name"}), shown(row, "rate"), shown(row, "client_errors"), shown(row, "server_errors"), duration(row, "p50_us"), duration(row, "p99_us"),
            shown(row, "unanswered"), shown(row, "retries")};
}

std::vector<std::string> service_row(const json& row) {
    return {text_at(row, {"name"}), shown(row, "rate"), shown(row, "client_errors"), shown(row, "server_errors"), duration(row, "p50_us"), duration(row, "p99_us"),
            shown(row, "connections"), shown(row, "reused"), shown(row, "connect_failures")};
}

std::vector<std::string> refused_row(const json& row) { return {text_at(row, {"name"}), shown(row, "rate"), text_at(row, {"text"})}; }

}  // namespace

json rates_of(const json& before, const json& after) {
    const std::uint64_t times[] = {count_at(before, {"time_ms"}), count_at(after, {"time_ms"})};
    const double seconds = times[1] > times[0] ? static_cast<double>(times[1] - times[0]) / 1000 : 1;
    const Change worker(at(before, {"worker"}), at(after, {"worker"}), seconds, list_at(after, {"bucket_ends_us"}));
    json out = {{"seconds", seconds},
                {"requests", worker.rate("requests_total")},
                {"connections", worker.rate("connections_total")},
                {"connections_open", count_at(after, {"worker", "connections_open"})},
                {"log_lines_lost", worker.rate("log_lines_lost")},
                {"listeners", rates_in(before, after, "listeners", "id", seconds, listener_rates)},
                {"routes", rates_in(before, after, "rules", "id", seconds, rule_rates)},
                {"services", rates_in(before, after, "services", "id", seconds, service_rates)},
                {"refused", rates_in(before, after, "reasons", "name", seconds, reason_rates)}};
    for (const char* list : {"routes", "services", "refused"}) {
        without_idle(out[list]);
    }
    for (const char* list : {"listeners", "routes", "services", "refused"}) {
        busiest_first(out[list]);
    }
    return out;
}

std::string rates_text(const json& rates, std::size_t rows_max) {
    std::string out = fmt::format("per second, over {:.1f} s: {} requests, {} new connections; {} connections open\n", rate_in(rates, "seconds"), shown(rates, "requests"),
                                  shown(rates, "connections"), count_at(rates, {"connections_open"}));
    add_table(out, list_at(rates, {"listeners"}), rows_max, {"LISTENER", "REQUESTS", "4XX", "5XX", "P50", "P99", "CONNECTIONS", "BYTES IN", "BYTES OUT", "TLS FULL", "RESUMED", "FAILED"},
              listener_row);
    add_table(out, list_at(rates, {"routes"}), rows_max, {"ROUTE#RULE", "REQUESTS", "4XX", "5XX", "P50", "P99", "NO ANSWER", "RETRIES"}, route_row);
    add_table(out, list_at(rates, {"services"}), rows_max, {"SERVICE", "ATTEMPTS", "4XX", "5XX", "P50", "P99", "CONNECTED", "REUSED", "FAILED"}, service_row);
    add_table(out, list_at(rates, {"refused"}), rows_max, {"REFUSED", "COUNT", "MEANS"}, refused_row);
    if (rate_in(rates, "log_lines_lost") != 0) {
        out += "\nlines of the access log are lost: " + shown(rates, "log_lines_lost") + "\n";
    }
    return out;
}

}  // namespace penstock::gwctl

// SPDX-License-Identifier: Apache-2.0
// For tests only: a strict reader of Prometheus' text format 0.0.4. It refuses what promtool would complain of, too: a family in pieces, a
// series twice, a sample without HELP and TYPE before it, a histogram that does not add up.
#pragma once

#include <charconv>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tools/test/catch.hpp"

namespace penstock::proxy::testing {

class MetricsReading {
public:
    // Sample lines as written, without the value: `name{labels}`.
    std::map<std::string, double> samples;
    std::map<std::string, std::string> types;

    explicit MetricsReading(const std::string& text) {
        REQUIRE((text.empty() || text.back() == '\n'));
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            INFO(line);
            line.starts_with("# ") ? comment(line) : sample(line);
        }
        for (const auto& [name, type] : types) {
            if (type == "histogram") {
                check_histogram(name);
            }
        }
    }

private:
    void comment(const std::string& line) {
        static const std::regex form(R"(# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+))");
        std::smatch match;
        REQUIRE(std::regex_match(line, match, form));
        if (match[1] == "HELP") {
            family_ = match[2];
            CHECK(types.emplace(family_, "").second);  // once, and so in one piece
            return;
        }
        CHECK(match[2] == family_);
        CHECK((match[3] == "counter" || match[3] == "gauge" || match[3] == "histogram"));
        types[family_] = match[3];
        CHECK((match[3] == "counter") == family_.ends_with("_total"));
    }

    void sample(const std::string& line) {
        static const std::regex form(R"~(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\["\\n])*"(,(?!\})|(?=\})))*\})? ([0-9]+(\.[0-9]+)?))~");
        std::smatch match;
        REQUIRE(std::regex_match(line, match, form));
        const std::string name = match[1];
        const bool histogram = types[family_] == "histogram";
        CHECK((name == family_ || (histogram && (name == family_ + "_bucket" || name == family_ + "_sum" || name == family_ + "_count"))));
        CHECK(samples.emplace(name + match[2].str(), std::stod(match[6])).second);
    }

    void check_histogram(const std::string& name) {
        std::map<std::string, std::map<double, double>> buckets;  // by the other labels
        static const std::regex form(R"~((.*)_bucket\{(.*),le="([^"]+)"\})~");
        for (const auto& [series, value] : samples) {
            std::smatch match;
            if (std::regex_match(series, match, form) && match[1] == name) {
                const double end = match[3] == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(match[3]);
                buckets[match[2]][end] = value;
            }
        }
        for (const auto& [labels, ends] : buckets) {
            double before = 0;
            for (const auto& [end, value] : ends) {
                CHECK(value >= before);
                before = value;
            }
            CHECK(ends.rbegin()->first == std::numeric_limits<double>::infinity());
            CHECK(samples.at(name + "_count{" + labels + "}") == before);
            CHECK(samples.contains(name + "_sum{" + labels + "}"));
        }
    }

    std::string family_;
};

}  // namespace penstock::proxy::testing

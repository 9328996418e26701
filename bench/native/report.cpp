// SPDX-License-Identifier: Apache-2.0
#include "bench/native/report.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace penstock::bench {

namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) {
            return line.substr(line.find(':') + 2);
        }
    }
    return "?";
}

// The commit is the caller's knowledge: a program does not know what it was built from.
Facts facts() {
    utsname name{};
    uname(&name);
    const char* commit = std::getenv("PST_COMMIT");
    return {{"machine", cpu_model() + ", " + std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) + " CPUs"},
            {"kernel", name.release},
            {"commit", commit != nullptr ? commit : "?"}};
}

std::string text_of(double figure, int decimals) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", decimals, figure);
    return std::isnan(figure) ? "-" : text;
}

void print_table(const Table& table) {
    std::size_t width = table.title.size();
    for (const Row& row : table.rows) {
        width = std::max(width, row.what.size());
    }
    std::printf("\n| %-*s |", static_cast<int>(width), table.title.c_str());
    for (const Column& column : table.columns) {
        std::printf(" %s |", column.name.c_str());
    }
    std::printf("\n| %s |", std::string(width, '-').c_str());
    for (const Column& column : table.columns) {
        std::printf(" %s: |", std::string(column.name.size() - 1, '-').c_str());
    }
    std::printf("\n");
    for (const Row& row : table.rows) {
        std::printf("| %-*s |", static_cast<int>(width), row.what.c_str());
        for (std::size_t i = 0; i < row.figures.size(); ++i) {
            std::printf(" %*s |", static_cast<int>(table.columns[i].name.size()), text_of(row.figures[i], table.columns[i].decimals).c_str());
        }
        std::printf("\n");
    }
}

nlohmann::ordered_json json_of(const Table& table) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Row& row : table.rows) {
        nlohmann::ordered_json one{{"what", row.what}};
        for (std::size_t i = 0; i < row.figures.size(); ++i) {
            one[table.columns[i].name] = std::isnan(row.figures[i]) ? nlohmann::ordered_json() : nlohmann::ordered_json(row.figures[i]);
        }
        rows.push_back(std::move(one));
    }
    return rows;
}

}  // namespace

Table& Report::table(std::string title, std::vector<Column> columns) {
    return tables_.emplace_back(Table{.title = std::move(title), .columns = std::move(columns), .rows = {}});
}

void Report::print() const {
    nlohmann::ordered_json json;
    for (const auto& [name, value] : facts()) {
        std::printf("%s: %s\n", name.c_str(), value.c_str());
        json[name] = value;
    }
    for (const Table& table : tables_) {
        print_table(table);
        json[table.title] = json_of(table);
    }
    std::printf("\n%s\n", json.dump().c_str());
}

}  // namespace penstock::bench

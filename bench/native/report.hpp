// SPDX-License-Identifier: Apache-2.0
// What a benchmark prints: machine, kernel, commit, its tables, and the same as JSON on the last line.
#pragma once

#include <deque>
#include <string>
#include <vector>

namespace penstock::bench {

struct Row {
    std::string what;
    std::vector<double> figures;  // one per column; NaN: none
};

struct Column {
    std::string name;  // with its unit: "ms, best"
    int decimals = 0;
};

struct Table {
    std::string title;
    std::vector<Column> columns;
    std::vector<Row> rows;

    void add(std::string what, std::vector<double> figures) { rows.push_back({std::move(what), std::move(figures)}); }
};

class Report {
public:
    // Stays where it is until the report ends.
    Table& table(std::string title, std::vector<Column> columns);
    void print() const;

private:
    std::deque<Table> tables_;
};

}  // namespace penstock::bench

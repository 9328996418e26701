// SPDX-License-Identifier: Apache-2.0
// Rows as aligned columns, as people read them. Colours are the caller's: widths count visible characters of ASCII.
#pragma once

#include <string>
#include <vector>

namespace penstock::gwctl {

class TextTable {
public:
    explicit TextTable(std::vector<std::string> heading) : rows_{std::move(heading)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    [[nodiscard]] bool empty() const { return rows_.size() == 1; }
    [[nodiscard]] std::string text() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace penstock::gwctl

// SPDX-License-Identifier: Apache-2.0
// Rows as aligned columns, as people read them. Colours are the caller's: widths count visible characters of ASCII.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace penstock::gwctl {

using TextRows = std::vector<std::vector<std::string>>;

// Lines of them. `widths`, of the columns, grow to what they need, so that rows which come later stand below those before.
std::string aligned(const TextRows& rows, std::vector<std::size_t>& widths);

class TextTable {
public:
    explicit TextTable(std::vector<std::string> heading) : rows_{std::move(heading)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    [[nodiscard]] bool empty() const { return rows_.size() == 1; }
    [[nodiscard]] std::string text() const;

private:
    TextRows rows_;
};

}  // namespace penstock::gwctl

// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/text_table.hpp"

#include <algorithm>

namespace penstock::gwctl {

std::string aligned(const TextRows& rows, std::vector<std::size_t>& widths) {
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i] + (i + 1 < row.size() ? std::string(widths[i] - row[i].size() + 3, ' ') : "");
        }
        out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
}

std::string TextTable::text() const {
    std::vector<std::size_t> widths;
    return aligned(rows_, widths);
}

}  // namespace penstock::gwctl

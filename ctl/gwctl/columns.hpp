// SPDX-License-Identifier: Apache-2.0
// The columns of `gwctl get`, by kind.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace penstock::gwctl {

struct Column {
    const char* heading;
    std::string (*value)(const nlohmann::json& object);
    bool wide = false;  // with -o wide alone
};

// Between NAME and AGE.
std::vector<Column> columns_of(const std::string& kind, bool wide);

}  // namespace penstock::gwctl

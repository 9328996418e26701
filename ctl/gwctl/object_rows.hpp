// SPDX-License-Identifier: Apache-2.0
// Objects as get prints them, one by one: a row of their kind's table, or a name.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctl/gwctl/columns.hpp"

namespace penstock::gwctl {

class ObjectRows {
public:
    ObjectRows(const std::string& kind, bool with_namespace, bool wide) : columns_(columns_of(kind, wide)), with_namespace_(with_namespace) {}

    // `name`: the heading of the column of names.
    [[nodiscard]] std::vector<std::string> heading(const std::string& name = "NAME") const;
    [[nodiscard]] std::vector<std::string> row(const nlohmann::json& object) const;

private:
    std::vector<Column> columns_;
    bool with_namespace_;
};

// As kubectl has it: "gateway.gateway.networking.k8s.io/edge".
std::string full_name(const nlohmann::json& object);

}  // namespace penstock::gwctl

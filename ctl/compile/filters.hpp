// SPDX-License-Identifier: Apache-2.0
// The filters of a rule or of a backendRef in the snapshot's terms. One filter that we do not serve spoils them all: leaving it out
// would send traffic on as if it had been applied.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ctl/compile/conditions.hpp"
#include "ctl/compile/parts.hpp"
#include "ctl/model/store.hpp"

namespace penstock::compile {

struct FiltersResult {
    std::unique_ptr<fb::FiltersT> filters;  // null: none
    std::optional<Condition> fault;         // RouteAccepted_unsupported_value
    bool redirects = false;
};

enum class FilterPlace { rule, backend };

// `at` is the path of the list in the object, "spec.rules[1].filters".
[[nodiscard]] FiltersResult compile_filters(const std::vector<model::HttpFilter>& filters, FilterPlace place, const std::string& at);

}  // namespace penstock::compile

// SPDX-License-Identifier: Apache-2.0
// The filters of a rule or of a backendRef in the snapshot's terms. One filter that we do not serve spoils them all: leaving it out
// would send traffic on as if it had been applied. A mirror whose backend does not resolve is left out: the request itself goes on.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ctl/compile/rules_build.hpp"

namespace penstock::compile {

struct FiltersResult {
    std::unique_ptr<fb::FiltersT> filters;  // null: none
    std::optional<Condition> fault;         // RouteAccepted_unsupported_value
};

enum class FilterPlace { rule, backend };

// What mirrors are resolved with; the sets that they lead to and their faults come to be in `out`.
struct FilterContext {
    const Asker& asker;
    const Backends& backends;
    RouteRules& out;
};

// `at` is the path of the list in the object, "spec.rules[1].filters".
[[nodiscard]] FiltersResult compile_filters(const std::vector<model::HttpFilter>& filters, FilterPlace place, const std::string& at,
                                            const FilterContext& context);

// The worker rewrites once: what a backend's rewrite does not say is as its rule's says. Either may be null.
void complete_rewrite(const fb::FiltersT* rule, fb::FiltersT* backend);

}  // namespace penstock::compile

// SPDX-License-Identifier: Apache-2.0
// What must hold of every compilation, whatever the case is about. Each function gives a sentence per fault, none if all is well.
#pragma once

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "ctl/compile/golden/case.hpp"

namespace penstock::compile::golden {

using Faults = std::vector<std::string>;

// Calls `visit` with each list of conditions in a status.
template <class Visit>
void visit_conditions(const ObjectStatus& status, Visit visit) {
    std::visit(
        [&](const auto& body) {
            if constexpr (requires { body.conditions; }) {
                visit(body.conditions);
            }
            if constexpr (requires { body.listeners; }) {
                std::for_each(body.listeners.begin(), body.listeners.end(), [&](const auto& entry) { visit(entry.conditions); });
            }
            if constexpr (requires { body.parents; }) {
                std::for_each(body.parents.begin(), body.parents.end(), [&](const auto& entry) { visit(entry.conditions); });
            }
            if constexpr (requires { body.ancestors; }) {
                std::for_each(body.ancestors.begin(), body.ancestors.end(), [&](const auto& entry) { visit(entry.conditions); });
            }
        },
        status.body);
}

// Of the result alone: conditions, the snapshot's references and order, steering.
[[nodiscard]] Faults faults_of(const Compiled& compiled);
[[nodiscard]] Faults faults_of(const Snapshot& snapshot);

// Compiled again after itself, a case gives the very same objects.
[[nodiscard]] Faults faults_of_repetition(const Case& entry, const Compiled& compiled);

// Any one object taken away, and put back: what is compiled upon what was there is what is compiled from nothing.
[[nodiscard]] Faults faults_of_edits(const Case& entry, const Compiled& compiled);

}  // namespace penstock::compile::golden

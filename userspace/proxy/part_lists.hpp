// SPDX-License-Identifier: Apache-2.0
// From the lists of parts that a root names to what came and went since the tables before: only lists that are not known are read. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "userspace/base/result.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

struct PartEdits {
    std::vector<std::string> come;                   // paths of parts that are new or others now, sorted
    std::vector<std::pair<std::string, Made>> gone;  // what they were, sorted
};

// Brings `lists` and `made` up to date with the root. A part that came has its new digest there, and is yet to be made: what was made of its
// last version stands for it, as failed. Nothing is changed if a list cannot be used.
Result<PartEdits> follow_lists(const fb::Root& root, const Storage& storage, std::vector<ListName>& lists, MadeParts& made);

}  // namespace penstock::proxy

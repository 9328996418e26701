// SPDX-License-Identifier: Apache-2.0
// The lists of parts that a root names: the bytes of a part, and what came and went since the tables before, for which only lists that are not
// known are read. Pure.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/base/result.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

// For one build: spans are valid until it is over, and a list is verified once.
class ListReader {
public:
    explicit ListReader(const Storage& storage) : storage_(storage) {}
    // Whose parts are in order.
    Result<const fb::PartList*> list(const ListName& name);
    // Of the part of that path, which one of the `lists`, sorted, has.
    Result<std::span<const std::uint8_t>> part(const std::vector<ListName>& lists, std::string_view path);

private:
    const Storage& storage_;
    std::map<ListName, const fb::PartList*> read_;
};

struct PartEdits {
    std::vector<std::string> come;                   // paths of parts that are new or others now, sorted
    std::vector<std::pair<std::string, Made>> gone;  // what they were, sorted
};

// Brings `lists` and `made` up to date with the root. A part that came has its new digest there, and is yet to be made: what was made of its
// last version stands for it, as failed. Nothing is changed if a list cannot be used.
Result<PartEdits> follow_lists(const fb::Root& root, ListReader& reader, std::vector<ListName>& lists, MadeParts& made);

}  // namespace penstock::proxy

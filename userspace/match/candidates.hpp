// SPDX-License-Identifier: Apache-2.0
// The matches of one path, in order of precedence. Where many of them ask for the exact value of one header or query parameter, they are
// found by that value: five thousand tenants under one path cost what ten do.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "userspace/match/conditions.hpp"

namespace penstock::match {

using Matches = flatbuffers::Vector<flatbuffers::Offset<fb::Match>>;

class Candidates {
public:
    // Numbers of matches, rising.
    void add(std::uint32_t number) { others_.push_back(number); }
    // Once all are there. `matches` must stay.
    void index(const Matches& matches);

    // Calls `each(numbers)` for one or two lists of rising numbers; what is in none does not hold.
    template <class Each>
    void visit(const Request& request, Each each) const {
        if (by_value_ != nullptr) {
            each(by_value_->find(request));
        }
        each(std::span<const std::uint32_t>(others_));
    }

private:
    struct Key {
        bool query = false;  // else a header
        std::string_view name;
        bool operator==(const Key&) const = default;
    };
    struct ByValue {
        Key key;
        std::unordered_map<std::string_view, std::vector<std::uint32_t>> numbers;
        [[nodiscard]] std::span<const std::uint32_t> find(const Request& request) const;
    };
    static const fb::NamedMatch* exact(const fb::Match& match, const Key& key);
    [[nodiscard]] Key most_asked(const Matches& matches, std::size_t& times) const;

    std::vector<std::uint32_t> others_;
    std::unique_ptr<ByValue> by_value_;
};

}  // namespace penstock::match

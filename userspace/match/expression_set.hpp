// SPDX-License-Identifier: Apache-2.0
// Which of many expressions match a whole text: one automaton for all of them, so that the cost is that of the text.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/match/conditions.hpp"

namespace penstock::match {

class ExpressionSet {
public:
    ExpressionSet();
    ~ExpressionSet();
    // Numbers rise. Fails if RE2 refuses it.
    Status add(std::string_view text, std::uint32_t number);
    // Once all are there.
    void compile();
    // Calls `each(number)` for those below `limit` that match, rising, until it returns true.
    template <class Each>
    void visit(std::string_view text, std::uint32_t limit, Each each) const {
        if (all_.empty() || all_.front().number >= limit) {
            return;
        }
        if (std::span<const std::uint32_t> numbers; joined_ != nullptr && match_joined(text, numbers)) {
            for (const std::uint32_t number : numbers) {
                if (number >= limit || each(number)) {
                    return;
                }
            }
            return;
        }
        for (const One& one : all_) {
            if (one.number >= limit || (full_match(text, *one.pattern) && each(one.number))) {
                return;
            }
        }
    }

private:
    struct Joined;
    // False: the automaton ran out of its memory on this text. `numbers` is valid until the next call on this thread.
    bool match_joined(std::string_view text, std::span<const std::uint32_t>& numbers) const;

    struct One {
        std::unique_ptr<re2::RE2> pattern;
        std::uint32_t number;
    };
    std::vector<One> all_;
    std::unique_ptr<Joined> joined_;  // null: few, or too large together
};

}  // namespace penstock::match

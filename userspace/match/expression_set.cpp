// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/expression_set.hpp"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>

namespace penstock::match {

namespace {

constexpr std::size_t kMany = 8;                // fewer are tried one after the other
constexpr std::int64_t kMemoryMax = 32 << 20;  // of the automaton of one table, which grows as texts come

re2::RE2::Options set_options() {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kMemoryMax);
    return options;
}

}  // namespace

struct ExpressionSet::Joined {
    re2::RE2::Set set{set_options(), re2::RE2::ANCHOR_BOTH};
};

ExpressionSet::ExpressionSet() = default;
ExpressionSet::~ExpressionSet() = default;

Status ExpressionSet::add(std::string_view text, std::uint32_t number) {
    PST_TRY_ASSIGN(auto pattern, expression(text));
    all_.push_back({std::move(pattern), number});
    return success();
}

void ExpressionSet::compile() {
    if (all_.size() < kMany) {
        return;
    }
    joined_ = std::make_unique<Joined>();
    for (const One& one : all_) {
        if (joined_->set.Add(one.pattern->pattern(), nullptr) < 0) {
            joined_.reset();
            return;
        }
    }
    if (!joined_->set.Compile()) {
        joined_.reset();
    }
}

bool ExpressionSet::match_joined(std::string_view text, std::span<const std::uint32_t>& numbers) const {
    thread_local std::vector<int> found;
    thread_local std::vector<std::uint32_t> sorted;
    found.clear();
    sorted.clear();
    re2::RE2::Set::ErrorInfo error{};
    if (!joined_->set.Match(re2::StringPiece(text.data(), text.size()), &found, &error)) {
        return error.kind == re2::RE2::Set::kNoError;
    }
    for (const int at : found) {
        sorted.push_back(all_[static_cast<std::size_t>(at)].number);
    }
    std::sort(sorted.begin(), sorted.end());
    numbers = sorted;
    return true;
}

}  // namespace penstock::match

// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/conditions.hpp"

#include <re2/re2.h>

namespace penstock::match {

std::optional<std::string_view> query_value(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        const std::size_t equals = pair.find('=');
        if (pair.substr(0, equals) == name) {
            return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        }
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    }
    return std::nullopt;
}

Result<std::unique_ptr<re2::RE2>> expression(std::string_view text) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    auto compiled = std::make_unique<re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!compiled->ok()) {
        return Error{.code = Errc::invalid, .what = "expression \"" + std::string(text) + "\": " + compiled->error()};
    }
    return compiled;
}

bool full_match(std::string_view text, const re2::RE2& pattern) {
    return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

Conditions::Conditions(Conditions&&) noexcept = default;
Conditions::~Conditions() = default;

Result<Conditions> Conditions::build(const fb::Match& match) {
    Conditions made;
    made.method_ = fb::text(match.method());
    PST_TRY(build(match.headers(), made.headers_));
    PST_TRY(build(match.query(), made.queries_));
    return made;
}

Status Conditions::build(const NamedMatches* matches, std::vector<Named>& out) {
    for (const fb::NamedMatch* match : fb::each(matches)) {
        Named& named = out.emplace_back(Named{match->name()->string_view(), match->value()->string_view(), nullptr});
        if (match->match() == fb::ValueMatch::Regex) {
            PST_TRY_ASSIGN(named.pattern, expression(named.value));
        }
    }
    return success();
}

bool Conditions::holds(std::optional<std::string_view> value, const Named& wanted) {
    return value && (wanted.pattern != nullptr ? full_match(*value, *wanted.pattern) : *value == wanted.value);
}

bool Conditions::hold(const Request& request) const {
    if (!method_.empty() && method_ != request.method) {
        return false;
    }
    std::string room;
    for (const Named& wanted : headers_) {
        if (!holds(request.fields.value(wanted.name, room), wanted)) {
            return false;
        }
    }
    for (const Named& wanted : queries_) {
        if (!holds(query_value(request.query, wanted.name), wanted)) {
            return false;
        }
    }
    return true;
}

}  // namespace penstock::match

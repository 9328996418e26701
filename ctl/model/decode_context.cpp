// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/decode_context.hpp"

#include <algorithm>
#include <numeric>

#include "userspace/base/ascii.hpp"

namespace penstock::model {
namespace {

// Edits of one character, without case.
std::size_t distance(std::string_view one, std::string_view other) {
    std::vector<std::size_t> row(other.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 1; i <= one.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= other.size(); ++j) {
            const std::size_t change = diagonal + (lower(one[i - 1]) == lower(other[j - 1]) ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
        }
    }
    return row[other.size()];
}

}  // namespace

void Context::set_object(std::string kind, std::string ns, std::string name) {
    kind_ = std::move(kind);
    ns_ = std::move(ns);
    name_ = std::move(name);
}

void Context::tell(Severity severity, std::string path, int line, std::string message) {
    errors_ += severity == Severity::error ? 1 : 0;
    if (++told_ <= kTellMax) {
        diagnostics_->push_back({severity, file_, line, kind_, ns_, name_, std::move(path), std::move(message)});
    } else if (told_ == kTellMax + 1) {
        diagnostics_->push_back({severity, file_, line, kind_, ns_, name_, "", "more faults are not listed"});
    }
}

std::string At::path() const {
    std::string before = up != nullptr ? up->path() : "";
    if (name.empty() && up != nullptr) {
        return before + "[" + std::to_string(index) + "]";
    }
    return before + (before.empty() || name.empty() ? "" : ".") + std::string(name);
}

std::string quoted(std::string_view text) {
    constexpr std::size_t kShown = 80;
    std::string out = "\"";
    for (const char c : text.substr(0, kShown)) {
        out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
    }
    return out + (text.size() > kShown ? "...\"" : "\"");
}

std::string unknown_field(std::string_view name, const std::vector<std::string_view>& known) {
    std::string message = "unknown field, it has no effect";
    if (name.size() > 64) {
        return message;
    }
    std::size_t best = name.size() < 5 ? 2 : 3;  // the first distance that is too far
    std::string_view closest;
    for (const std::string_view candidate : known) {
        const std::size_t away = distance(name, candidate);
        if (away < best) {
            best = away;
            closest = candidate;
        }
    }
    return closest.empty() ? message : message + "; did you mean " + std::string(closest) + "?";
}

}  // namespace penstock::model

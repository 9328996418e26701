// SPDX-License-Identifier: Apache-2.0
// Names to values by the Gateway API's rules of host names: an exact name, then wildcards ("*.example.com" stands for one or more
// labels), the longest first, then "" for every name. Names are lower case without a trailing dot or port. A look-up allocates nothing.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace penstock::match {

// Host without port and trailing dot, in lower case: "[::1]:80" -> "[::1]", "Shop.Example.com.:443" -> "shop.example.com".
std::string normal_host(std::string_view host);

// The same for a look-up. What is longer than any name of the DNS has no name: "" it is, which only "" fits.
class HostName {
public:
    explicit HostName(std::string_view host);
    [[nodiscard]] std::string_view name() const { return {text_.data(), size_}; }

private:
    std::array<char, 255> text_;
    std::size_t size_ = 0;
};

template <class Value>
class HostIndex {
public:
    // `pattern`: "", a name, or "*." and a name. The first value of a pattern stays.
    void add(std::string_view pattern, Value value) {
        if (pattern.empty()) {
            if (!any_) {
                any_ = std::move(value);
            }
        } else if (pattern.starts_with("*.")) {
            wildcards_.try_emplace(std::string(pattern.substr(1)), std::move(value));
        } else {
            exact_.try_emplace(std::string(pattern), std::move(value));
        }
    }

    // Calls `visit(value)` for each pattern that fits, the most specific first, until it returns true.
    template <class Visit>
    bool visit(std::string_view host, Visit visit) const {
        if (!exact_.empty()) {
            if (const auto found = exact_.find(host); found != exact_.end() && visit(found->second)) {
                return true;
            }
        }
        // Suffixes from the longest: at the first dot that has a label before it.
        for (std::size_t dot = host.find('.', 1); !wildcards_.empty() && dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
            if (const auto found = wildcards_.find(host.substr(dot)); found != wildcards_.end() && visit(found->second)) {
                return true;
            }
        }
        return any_ && visit(*any_);
    }

    // The most specific one, or null.
    [[nodiscard]] const Value* find(std::string_view host) const {
        const Value* found = nullptr;
        visit(host, [&](const Value& value) {
            found = &value;
            return true;
        });
        return found;
    }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    using ByName = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

    ByName exact_;
    ByName wildcards_;  // by ".example.com"
    std::optional<Value> any_;
};

}  // namespace penstock::match

// SPDX-License-Identifier: Apache-2.0
// Names to values by the Gateway API's rules of host names: an exact name, then wildcards ("*.example.com" stands for one or more
// labels), the longest first, then "" for every name. Names are lower case without a trailing dot or port.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace penstock::match {

// Host without port and trailing dot, in lower case: "[::1]:80" -> "[::1]", "Shop.Example.com.:443" -> "shop.example.com".
std::string normal_host(std::string_view host);

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
    bool visit(const std::string& host, Visit visit) const {
        if (const auto found = exact_.find(host); found != exact_.end() && visit(found->second)) {
            return true;
        }
        // Suffixes from the longest: at the first dot that has a label before it.
        for (std::size_t dot = host.find('.', 1); !wildcards_.empty() && dot != std::string::npos; dot = host.find('.', dot + 1)) {
            if (const auto found = wildcards_.find(host.substr(dot)); found != wildcards_.end() && visit(found->second)) {
                return true;
            }
        }
        return any_ && visit(*any_);
    }

    // The most specific one, or null.
    [[nodiscard]] const Value* find(const std::string& host) const {
        const Value* found = nullptr;
        visit(host, [&](const Value& value) {
            found = &value;
            return true;
        });
        return found;
    }

private:
    std::unordered_map<std::string, Value> exact_;
    std::unordered_map<std::string, Value> wildcards_;  // by ".example.com"
    std::optional<Value> any_;
};

}  // namespace penstock::match

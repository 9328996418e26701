// SPDX-License-Identifier: Apache-2.0
// Names to values by the Gateway API's rules of host names: an exact name, then wildcards ("*.example.com" stands for one or more
// labels), the longest first, then "" for every name. Names are lower case without a trailing dot or port. A look-up allocates nothing,
// and an edited copy shares what was not edited.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "userspace/base/bucket_map.hpp"

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
            wildcards_.add(pattern.substr(1), std::move(value));
        } else {
            exact_.add(pattern, std::move(value));
        }
    }

    void erase(std::string_view pattern) {
        if (pattern.empty()) {
            any_.reset();
        } else if (pattern.starts_with("*.")) {
            wildcards_.erase(pattern.substr(1));
        } else {
            exact_.erase(pattern);
        }
    }

    // Calls `visit(value)` for each pattern that fits, the most specific first, until it returns true.
    template <class Visit>
    bool visit(std::string_view host, Visit visit) const {
        if (const Value* found = exact_.find(host); found != nullptr && visit(*found)) {
            return true;
        }
        // Suffixes from the longest: at the first dot that has a label before it.
        for (std::size_t dot = host.find('.', 1); !wildcards_.empty() && dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
            if (const Value* found = wildcards_.find(host.substr(dot)); found != nullptr && visit(*found)) {
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
    BucketMap<Value> exact_;
    BucketMap<Value> wildcards_;  // by ".example.com"
    std::optional<Value> any_;
};

}  // namespace penstock::match

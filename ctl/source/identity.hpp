// SPDX-License-Identifier: Apache-2.0
// What an API server would add to an object and a file does not have: uid, generation, creationTimestamp. The book remembers them by the
// object's name, so they outlive edits and restarts: a generation rises when the content changes, and age decides conflicts between
// Gateways and routes as it does in a cluster. Pure: the clock is a parameter, the text is written by the caller.
// Invariant: an object has one entry; its generation never falls while the object lives.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "userspace/base/result.hpp"

namespace penstock::source {

struct Identity {
    std::string uid;                // as a UUID
    std::int64_t generation = 1;
    std::int64_t created_s = 0;     // Unix time
    std::string digest;             // of the content that `generation` counts

    bool operator==(const Identity&) const = default;
};

class IdentityBook {
public:
    // The identity of the object `name` ("HTTPRoute/shop/cart"), new at `now_s`. `content` is everything of it but metadata and status.
    const Identity& observe(const std::string& name, std::string_view content, std::int64_t now_s);
    // Forgets objects that are gone: one that comes back under the name is another object.
    void keep_only(const std::set<std::string>& names);
    void forget(const std::string& name);

    [[nodiscard]] bool changed() const { return changed_; }  // since decode() or encode()
    [[nodiscard]] std::string encode();                      // text, one line per object
    static Result<IdentityBook> decode(std::string_view text);

private:
    std::map<std::string, Identity> entries_;
    bool changed_ = false;
};

// 32 hex digits.
std::string digest_of(std::string_view text);

}  // namespace penstock::source

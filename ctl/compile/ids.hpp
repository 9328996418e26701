// SPDX-License-Identifier: Apache-2.0
// Stable small numbers for things with long names. A name keeps its number while every compilation uses it. Numbers are given out
// in a circle, so a freed one comes back only after all others were used: no flow lives that long. A name that comes back soon
// (a flapping endpoint) finds its old number among the resting ones. No clock.
// Invariant: no two names, live or resting, have one number.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ctl/compile/pool.hpp"
#include "userspace/base/piece_map.hpp"
#include "userspace/base/result.hpp"

namespace penstock::compile {

// The numbers of one space after a compilation. Immutable; made by an IdTaker.
struct IdTable {
    static constexpr std::size_t kRestingMax = 4096;  // names whose numbers are kept for their return

    struct NumberHash {
        std::uint64_t operator()(std::uint32_t number) const { return number * 0x9e3779b97f4a7c15U; }
    };
    using Numbers = PieceMap<std::uint32_t, bool, std::less<>, NumberHash>;

    PieceMap<std::string, std::uint32_t> live;
    std::deque<std::pair<std::string, std::uint32_t>> resting;  // oldest first
    Numbers used;                                               // of those that live or rest
    std::uint32_t next = 1;                                     // where the circle goes on
};
using IdTablePtr = std::shared_ptr<const IdTable>;

// How often each name of a space is used. Kept from one compilation to the next by those that tell only what changes.
using IdUses = PieceMap<std::string, std::uint32_t>;

// One compilation's use of one space: take every name that is in use, then finish. Or, where the uses of the compilation before are
// given, take and release what came and went.
class IdTaker {
public:
    // Numbers 1 to max. `previous` may be null.
    IdTaker(IdTablePtr previous, std::uint32_t max, IdUses uses = {});
    // The number of `name`; nothing if all are in use.
    std::optional<std::uint32_t> take(const std::string& name);
    // One use less.
    void release(const std::string& name);
    // The table after this compilation: the previous object itself if nothing came or went.
    [[nodiscard]] IdTablePtr finish();
    [[nodiscard]] const IdUses& uses() const { return uses_; }

private:
    void prepare();
    std::optional<std::uint32_t> returned(const std::string& name);
    std::optional<std::uint32_t> fresh();
    [[nodiscard]] std::vector<std::pair<std::uint32_t, std::string>> gone() const;

    IdTablePtr previous_;
    std::uint32_t max_;
    std::uint32_t next_;
    IdUses uses_;
    bool whole_;                  // every use is told
    std::set<std::string> idle_;  // names that a release left without a use
    std::unordered_map<std::string, std::uint32_t> added_;
    IdTable::Numbers used_;       // live or resting
    std::deque<std::pair<std::string, std::uint32_t>> resting_;
    bool ready_ = false;
};

// All spaces of a compilation. A daemon that starts again must go on with the numbers that the pinned maps and the workers know:
// it keeps encode(ids) in its state folder and gives decode_ids() of it back as Compiled::ids of an empty previous result.
struct Ids {
    IdTablePtr backends;   // "<Service.name>/10.0.0.1:8080" -> Backend.id
    IdTablePtr services;   // Service.name -> Service.id
    IdTablePtr listeners;  // Listener.name -> Listener.id
    IdTablePtr rules;      // "HTTPRoute/ns/name/index" -> Rule.id
    IdTablePtr sets;       // "Service/ns/name/port" -> BackendSet.id
    IdTablePtr endpoints;  // "10.0.0.1:8080" -> snapshot BackendEndpoint.id
    AddressBookPtr addresses;  // no numbers, but as stable as those
};

[[nodiscard]] std::string encode(const Ids& ids);  // text, one line per number
[[nodiscard]] Result<Ids> decode_ids(std::string_view text);

}  // namespace penstock::compile

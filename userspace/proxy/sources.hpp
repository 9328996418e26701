// SPDX-License-Identifier: Apache-2.0
// How many connections each client has, of one thread. Clients are told apart by address, in IPv6 by the first 64 bits: whoever has one
// address there has them all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "userspace/base/ip.hpp"

namespace penstock::proxy {

using Sources = std::unordered_map<IpAddress, std::uint32_t>;

inline IpAddress source_of(IpAddress address) {
    if (address.family == Family::v6) {
        std::fill(address.bytes.begin() + 8, address.bytes.end(), std::uint8_t{0});
    }
    return address;
}

// A client's connection among those that it may have, as long as this lives.
class SourcePlace {
public:
    SourcePlace() = default;
    SourcePlace(const SourcePlace&) = delete;
    ~SourcePlace() {
        if (sources_ != nullptr) {
            const auto mine = sources_->find(source_);
            if (--mine->second == 0) {
                sources_->erase(mine);
            }
        }
    }

    // False: it has `most` already. At most once; `sources` outlives this.
    bool take(Sources& sources, const IpAddress& client, std::uint32_t most) {
        const auto mine = sources.try_emplace(source_of(client), 0).first;
        if (mine->second >= most) {
            return false;
        }
        ++mine->second;
        source_ = mine->first;
        sources_ = &sources;
        return true;
    }

private:
    Sources* sources_ = nullptr;
    IpAddress source_;
};

}  // namespace penstock::proxy

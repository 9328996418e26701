// SPDX-License-Identifier: Apache-2.0
// A pool of addresses for the Gateways of a class, and who has which of it. A Gateway gets one address of each family that the pool has,
// and keeps it while it lives and the pool holds it. Pure: where a search begins follows from the Gateway's name, so that nodes that start
// with nothing come to the same choice.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "userspace/base/ip.hpp"

namespace penstock::compile {

struct AddressRange {
    IpAddress first;  // both inclusive, of one family
    IpAddress last;

    [[nodiscard]] bool contains(const IpAddress& ip) const { return ip.family == first.family && first.bytes <= ip.bytes && ip.bytes <= last.bytes; }
    bool operator==(const AddressRange&) const = default;
};

class Pool {
public:
    static constexpr std::uint64_t kSearched = 1U << 16;  // addresses of a family that are given out by ourselves: the first ones

    // Addresses, ranges "10.0.0.1-10.0.0.9" and networks "10.0.0.0/24", by commas or white space. Of an IPv4 network larger than /31 the
    // first and the last address are left out. Or what is wrong with the text.
    static std::variant<Pool, std::string> parse(std::string_view text);

    [[nodiscard]] bool contains(const IpAddress& ip) const;
    [[nodiscard]] bool has(Family family) const;
    // The first address from where the search for `name` begins that is not in `taken`; nothing if there is none.
    [[nodiscard]] std::optional<IpAddress> free_one(Family family, std::string_view name, const std::set<IpAddress>& taken) const;

private:
    std::vector<AddressRange> ranges_;
};

// Who has what of a pool: "Gateway/ns/name" -> addresses, those first that it names. It is kept over compilations and restarts.
using AddressBook = std::map<std::string, std::vector<IpAddress>>;
using AddressBookPtr = std::shared_ptr<const AddressBook>;

}  // namespace penstock::compile

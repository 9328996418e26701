// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/pool.hpp"

#include <xxhash.h>

#include <algorithm>
#include <charconv>

namespace penstock::compile {

namespace {

constexpr std::size_t kRangesMax = 1024;

// The number of steps from `from` to `to`, cut to `most`.
std::uint64_t distance(const IpAddress& from, const IpAddress& to, std::uint64_t most) {
    std::uint64_t low = 0;
    bool large = false;
    int borrow = 0;
    for (std::size_t i = 16; i-- > 0;) {
        int step = to.bytes[i] - from.bytes[i] - borrow;
        borrow = step < 0 ? 1 : 0;
        step += borrow * 256;
        if (i >= 8) {
            low |= static_cast<std::uint64_t>(step) << (8 * (15 - i));
        } else {
            large = large || step != 0;
        }
    }
    return large ? most : std::min(low, most);
}

IpAddress plus(IpAddress ip, std::uint64_t steps) {
    for (std::size_t i = 16; i-- > 0 && steps != 0;) {
        steps += ip.bytes[i];
        ip.bytes[i] = static_cast<std::uint8_t>(steps);
        steps >>= 8U;
    }
    return ip;
}

std::optional<AddressRange> network(const IpAddress& ip, std::string_view length_text) {
    unsigned length = 0;
    const auto [end, failure] = std::from_chars(length_text.data(), length_text.data() + length_text.size(), length);
    const unsigned most = ip.family == Family::v4 ? 32 : 128;
    if (failure != std::errc() || end != length_text.data() + length_text.size() || length > most) {
        return std::nullopt;
    }
    AddressRange range{ip, ip};
    for (unsigned bit = 128 - most + length; bit < 128; ++bit) {
        const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
        range.first.bytes[bit / 8] = static_cast<std::uint8_t>(range.first.bytes[bit / 8] & ~mask);
        range.last.bytes[bit / 8] = static_cast<std::uint8_t>(range.last.bytes[bit / 8] | mask);
    }
    if (ip.family == Family::v4 && length < 31) {
        range.first = plus(range.first, 1);
        range.last.bytes[15] = static_cast<std::uint8_t>(range.last.bytes[15] - 1);
    }
    return range;
}

std::optional<AddressRange> parse_range(std::string_view word) {
    if (const std::size_t slash = word.find('/'); slash != std::string_view::npos) {
        const auto ip = IpAddress::parse(word.substr(0, slash));
        return ip ? network(*ip, word.substr(slash + 1)) : std::nullopt;
    }
    const std::size_t dash = std::min(word.find('-'), word.size());
    const auto first = IpAddress::parse(word.substr(0, dash));
    const auto last = dash == word.size() ? first : IpAddress::parse(word.substr(dash + 1));
    if (!first || !last || first->family != last->family || last->bytes < first->bytes) {
        return std::nullopt;
    }
    return AddressRange{*first, *last};
}

}  // namespace

std::variant<Pool, std::string> Pool::parse(std::string_view text) {
    Pool pool;
    constexpr std::string_view kBetween = ", \t\r\n";
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(kBetween), text.size()));
        const std::string_view word = text.substr(0, std::min(text.find_first_of(kBetween), text.size()));
        if (word.empty()) {
            break;
        }
        text.remove_prefix(word.size());
        const auto range = parse_range(word);
        if (!range) {
            return "'" + std::string(word.substr(0, 100)) + "' is no address, range or network";
        }
        pool.ranges_.push_back(*range);
        if (pool.ranges_.size() > kRangesMax) {
            return "more than " + std::to_string(kRangesMax) + " ranges";
        }
    }
    if (pool.ranges_.empty()) {
        return "no address is in it";
    }
    return pool;
}

bool Pool::contains(const IpAddress& ip) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const AddressRange& range) { return range.contains(ip); });
}

bool Pool::has(Family family) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const AddressRange& range) { return range.first.family == family; });
}

std::optional<IpAddress> Pool::free_one(Family family, std::string_view name, const std::set<IpAddress>& taken) const {
    std::vector<std::pair<std::uint64_t, const AddressRange*>> starts;  // index of the range's first address
    std::uint64_t size = 0;
    for (const AddressRange& range : ranges_) {
        if (range.first.family == family && size < kSearched) {
            starts.emplace_back(size, &range);
            size += distance(range.first, range.last, kSearched - 1) + 1;
        }
    }
    size = std::min(size, kSearched);
    const std::uint64_t begin = size == 0 ? 0 : XXH3_64bits(name.data(), name.size()) % size;
    for (std::uint64_t i = 0; i < size; ++i) {
        const std::uint64_t index = (begin + i) % size;
        const auto after = std::upper_bound(starts.begin(), starts.end(), index, [](std::uint64_t at, const auto& start) { return at < start.first; });
        const IpAddress ip = plus(std::prev(after)->second->first, index - std::prev(after)->first);
        if (!taken.contains(ip)) {
            return ip;
        }
    }
    return std::nullopt;
}

}  // namespace penstock::compile

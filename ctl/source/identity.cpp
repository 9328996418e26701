// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/identity.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>

namespace penstock::source {

namespace {

constexpr std::string_view kHeader = "penstock objects 1";

// A name and the time it was first seen make a UUID (version 8: our own scheme) that no other object of this edge has.
std::string uid_of(const std::string& name, std::int64_t created_s) {
    const std::string hex = digest_of(fmt::format("{} {}", created_s, name));
    return fmt::format("{}-{}-8{}-8{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(13, 3), hex.substr(17, 3), hex.substr(20, 12));
}

std::string_view cut(std::string_view& rest, char at) {
    const std::size_t end = std::min(rest.find(at), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return word;
}

bool parse_number(std::string_view text, std::int64_t& out) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
    return failure == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string digest_of(std::string_view text) {
    const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

const Identity& IdentityBook::observe(const std::string& name, std::string_view content, std::int64_t now_s) {
    std::string digest = digest_of(content);
    const auto [entry, fresh] = entries_.try_emplace(name);
    Identity& identity = entry->second;
    if (fresh) {
        identity = {.uid = uid_of(name, now_s), .generation = 1, .created_s = now_s, .digest = std::move(digest)};
        changed_ = true;
    } else if (identity.digest != digest) {
        ++identity.generation;
        identity.digest = std::move(digest);
        changed_ = true;
    }
    return identity;
}

void IdentityBook::keep_only(const std::set<std::string>& names) {
    if (std::erase_if(entries_, [&](const auto& entry) { return !names.contains(entry.first); }) > 0) {
        changed_ = true;
    }
}

void IdentityBook::forget(const std::string& name) { changed_ = entries_.erase(name) != 0 || changed_; }

std::string IdentityBook::encode() {
    std::string text(kHeader);
    text += '\n';
    for (const auto& [name, identity] : entries_) {
        text += fmt::format("{} {} {} {} {}\n", identity.uid, identity.generation, identity.created_s, identity.digest, name);
    }
    changed_ = false;
    return text;
}

Result<IdentityBook> IdentityBook::decode(std::string_view text) {
    IdentityBook book;
    if (cut(text, '\n') != kHeader) {
        return Error{.code = Errc::invalid, .what = "read the kept objects: the first line is not ours"};
    }
    for (int line = 2; !text.empty(); ++line) {
        std::string_view row = cut(text, '\n');
        Identity identity;
        identity.uid = cut(row, ' ');
        const bool numbers = parse_number(cut(row, ' '), identity.generation) && parse_number(cut(row, ' '), identity.created_s);
        identity.digest = cut(row, ' ');
        if (!numbers || identity.generation < 1 || row.empty()) {
            return Error{.code = Errc::invalid, .what = fmt::format("read the kept objects: line {} is not one", line)};
        }
        book.entries_.insert_or_assign(std::string(row), std::move(identity));
    }
    return book;
}

}  // namespace penstock::source

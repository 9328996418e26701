// SPDX-License-Identifier: Apache-2.0
// How parts are named, "KIND/KEY/DIGEST", and the keeper's items that have lists of them, "list/KEY/DIGEST"; and how the key of a Host part names
// its place. Daemon and worker agree on it here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/snapshot_generated.h"

namespace penstock::snapshot {

// The abi that this version writes and reads.
inline constexpr std::uint32_t kAbi = 4;

inline std::string_view folder_of(PartKind kind) {
    switch (kind) {
        case PartKind::Host: return "host";
        case PartKind::Certificates: return "certificates";
        case PartKind::Backends: return "backends";
        case PartKind::Trust: return "trust";
    }
    return "unknown";
}

inline std::string part_path(PartKind kind, std::string_view key) { return std::string(folder_of(kind)) + "/" + std::string(key); }

// The other way; nothing: it is no path.
struct PartPlace {
    PartKind kind;
    std::string_view key;
};
inline std::optional<PartPlace> part_place(std::string_view path) {
    for (const PartKind kind : {PartKind::Host, PartKind::Certificates, PartKind::Backends, PartKind::Trust}) {
        const std::string_view folder = folder_of(kind);
        if (path.starts_with(folder) && path.substr(folder.size()).starts_with('/')) {
            return PartPlace{kind, path.substr(folder.size() + 1)};
        }
    }
    return std::nullopt;
}

inline bool operator==(const Digest& one, const Digest& other) { return one.high() == other.high() && one.low() == other.low(); }

inline std::string hex(const Digest& digest) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(32);
    for (const std::uint64_t half : {digest.high(), digest.low()}) {
        for (int shift = 60; shift >= 0; shift -= 4) {
            out.push_back(kDigits[(half >> shift) & 15]);
        }
    }
    return out;
}

inline std::string part_name(PartKind kind, std::string_view key, const Digest& digest) { return part_path(kind, key) + "/" + hex(digest); }

inline std::string list_name(std::string_view key, std::string_view digest) { return "list/" + std::string(key) + "/" + std::string(digest); }

// Of the host of a listener; `hostname` "" is every name.
inline std::string host_key(std::string_view listener, std::string_view hostname) {
    return std::string(listener) + "/" + (hostname.empty() ? "*" : std::string(hostname));
}

// The other way. No name has a "/".
struct HostPlace {
    std::string_view listener;
    std::string_view hostname;  // "": every name
};
inline HostPlace host_place(std::string_view key) {
    const std::size_t slash = key.rfind('/');
    const std::string_view hostname = key.substr(slash == std::string_view::npos ? 0 : slash + 1);
    return {key.substr(0, slash == std::string_view::npos ? 0 : slash), hostname == "*" ? std::string_view() : hostname};
}

}  // namespace penstock::snapshot

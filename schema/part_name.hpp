// SPDX-License-Identifier: Apache-2.0
// How keeper items of kind Part are named: "KIND/KEY/DIGEST", and how the key of a Host part names its place. Daemon and worker agree on it
// here.
#pragma once

#include <string>
#include <string_view>

#include "schema/snapshot_generated.h"

namespace penstock::snapshot {

inline std::string_view folder_of(PartKind kind) {
    switch (kind) {
        case PartKind::Host: return "host";
        case PartKind::Certificates: return "certificates";
        case PartKind::Backends: return "backends";
        case PartKind::Trust: return "trust";
        case PartKind::List: return "list";
    }
    return "unknown";
}

inline std::string part_path(PartKind kind, std::string_view key) { return std::string(folder_of(kind)) + "/" + std::string(key); }

// The other way; what is no path is of kind List, which no list has.
struct PartPlace {
    PartKind kind;
    std::string_view key;
};
inline PartPlace part_place(std::string_view path) {
    for (const PartKind kind : {PartKind::Host, PartKind::Certificates, PartKind::Backends, PartKind::Trust}) {
        const std::string_view folder = folder_of(kind);
        if (path.starts_with(folder) && path.substr(folder.size()).starts_with('/')) {
            return {kind, path.substr(folder.size() + 1)};
        }
    }
    return {PartKind::List, {}};
}

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

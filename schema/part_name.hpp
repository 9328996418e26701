// SPDX-License-Identifier: Apache-2.0
// How keeper items of kind Part are named: "KIND/KEY/DIGEST". Daemon and worker agree on it here.
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
    }
    return "unknown";
}

inline std::string part_path(PartKind kind, std::string_view key) { return std::string(folder_of(kind)) + "/" + std::string(key); }

}  // namespace penstock::snapshot

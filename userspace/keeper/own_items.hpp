// SPDX-License-Identifier: Apache-2.0
// What the keeper itself makes for the workers, who may open nothing. The daemon can neither put nor drop these.
#pragma once

#include <cstdint>
#include <string>

#include "schema/keeper_wire.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::keeper {

inline bool is_own(ItemKind kind) { return kind == ItemKind::StatsPage || kind == ItemKind::AccessLog; }

// A StatsPage of zeros in memory of fixed size, for `slots` threads a worker.
Result<Fd> make_stats_page(std::uint32_t slots);
// Whether `page` is such a one, of our layout.
bool is_stats_page(const Fd& page, std::uint32_t slots);
// To append to; made if it is not there.
Result<Fd> open_access_log(const std::string& path);

}  // namespace penstock::keeper

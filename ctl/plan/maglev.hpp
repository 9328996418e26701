// SPDX-License-Identifier: Apache-2.0
// Health laid over a Maglev table (userspace/base/maglev.hpp). Pure.
#pragma once

#include "userspace/base/maglev.hpp"

namespace penstock::plan {

// The table without the members that are not `up` (by index): such a slot takes the member of the next slot of its own sequence, the one
// that the packet core tries, too (bpf/core/pst_service.h). So nodes that disagree on health differ in those slots only.
// Empty if nobody is up.
[[nodiscard]] std::vector<std::uint32_t> overlay(const std::vector<std::uint32_t>& table, const std::vector<bool>& up);

}  // namespace penstock::plan

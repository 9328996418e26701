// SPDX-License-Identifier: Apache-2.0
// Programs on interfaces: XDP by pinned bpf_links, tc by a filter of ours on clsact. Both outlive the process. A program of somebody else is
// told (Errc::exists) and left alone.
#pragma once

#include <cstdint>
#include <string>

#include "ctl/apply/programs.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::apply {

struct XdpAttachment {
    Fd link;
    bool native = false;
    std::string why_generic;
};

// Finds the pinned link (and replaces its program if that is another) or makes one: native, else generic.
Result<XdpAttachment> attach_xdp(const Program& program, std::uint32_t ifindex, const std::string& pin);

// Our filter has this handle and priority.
inline constexpr std::uint32_t kTcHandle = 0x70737401;
inline constexpr std::uint32_t kTcPriority = 10;
// The number of our filter's program; 0 if there is none.
std::uint32_t tc_program(std::uint32_t ifindex);
Status attach_tc(const Program& program, std::uint32_t ifindex);
// Takes our filter away if it is there. clsact stays: others may rely on it.
Status detach_tc(std::uint32_t ifindex);

}  // namespace penstock::apply

// SPDX-License-Identifier: Apache-2.0
// The kernel ladder: what this kernel can do for us, each rung tried once at start and shown by `gwctl status`. Nothing is decided by it:
// every part tries what it needs itself, and this list says why a part fell back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::daemon {

struct Rung {
    std::string name;
    std::string since;   // kernel release that brought it
    std::string what;    // what it is for
    bool works = false;
    std::string detail;  // why not, or how it was found out
};

// Without the rung "xdp", which the datapath adds when it has tried to attach.
std::vector<Rung> probe_ladder();

std::string kernel_release();

// True if the kernel's type information (BTF) holds exactly this name. Exposed for tests.
bool btf_has_name(std::string_view btf, std::string_view name);

}  // namespace penstock::daemon

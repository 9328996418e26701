// SPDX-License-Identifier: Apache-2.0
// BPF programs as the kernel has them, and as they lie pinned.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

struct bpf_program;

namespace penstock::apply {

// A loaded program and the number by which the kernel knows it.
struct Program {
    Fd fd;
    std::uint32_t id = 0;
};

struct ProgramFacts {
    std::uint32_t id = 0;
    std::string tag;
    std::set<std::uint32_t> maps;
    [[nodiscard]] bool same(const ProgramFacts& other) const { return tag == other.tag && maps == other.maps; }
};

Result<ProgramFacts> facts_of(int fd);
// The pinned program if it is the same as the one just loaded, else that one, pinned now.
Result<Program> settle_program(const bpf_program* loaded, const std::string& pin);

}  // namespace penstock::apply

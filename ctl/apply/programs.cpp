// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/programs.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "ctl/apply/pins.hpp"
#include "userspace/base/log.hpp"

namespace penstock::apply {

Result<ProgramFacts> facts_of(int fd) {
    std::vector<__u32> maps(64);
    bpf_prog_info info{};
    info.nr_map_ids = static_cast<__u32>(maps.size());
    info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
    __u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) {
        return sys_error("look at a BPF program");
    }
    maps.resize(std::min<std::size_t>(info.nr_map_ids, maps.size()));
    return ProgramFacts{.id = info.id, .tag = std::string(reinterpret_cast<const char*>(info.tag), sizeof(info.tag)), .maps = {maps.begin(), maps.end()}};
}

Result<Program> settle_program(const bpf_program* loaded, const std::string& pin) {
    PST_TRY_ASSIGN(const ProgramFacts fresh, facts_of(bpf_program__fd(loaded)));
    PST_TRY_ASSIGN(Fd there, open_pin(pin));
    if (there.valid()) {
        PST_TRY_ASSIGN(const ProgramFacts old, facts_of(there.get()));
        if (old.same(fresh)) {
            return Program{.fd = std::move(there), .id = old.id};
        }
        log::info("{}: replaced by another version", pin);
    }
    PST_TRY(pin_over(bpf_program__fd(loaded), pin));
    return Program{.fd = Fd(fcntl(bpf_program__fd(loaded), F_DUPFD_CLOEXEC, 3)), .id = fresh.id};
}

}  // namespace penstock::apply

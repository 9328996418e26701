// SPDX-License-Identifier: Apache-2.0
#include "userspace/keeper/own_items.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <new>

#include "schema/keeper.hpp"
#include "schema/stats_page.hpp"

namespace penstock::keeper {

// Without a reader a FIFO is refused rather than waited for.
Result<Fd> open_access_log(const std::string& path) {
    Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640));
    if (!file.valid()) {
        return sys_error("open the access log " + path, "--access-log wants a file in a folder that exists and that " + std::string(kKeeperProgram) + " may write to");
    }
    return file;
}

Result<Fd> make_stats_page(std::uint32_t slots) {
    Fd page(::memfd_create("penstock-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    void* memory = MAP_FAILED;
    if (page.valid() && ::ftruncate(page.get(), sizeof(StatsPage)) == 0) {
        memory = ::mmap(nullptr, sizeof(StatsPage), PROT_READ | PROT_WRITE, MAP_SHARED, page.get(), 0);
    }
    if (memory == MAP_FAILED) {
        return sys_error("make the stats page");
    }
    auto* stats = static_cast<StatsPage*>(memory);  // zero from ftruncate, which is every counter's beginning
    stats->magic = kStatsMagic;
    stats->version = kStatsVersion;
    stats->slots = slots;
    ::munmap(memory, sizeof(StatsPage));
    ::fcntl(page.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return page;
}

bool is_stats_page(const Fd& page, std::uint32_t slots) {
    struct stat about = {};
    if (::fstat(page.get(), &about) != 0 || about.st_size != static_cast<off_t>(sizeof(StatsPage))) {
        return false;
    }
    void* memory = ::mmap(nullptr, sizeof(StatsPage), PROT_READ, MAP_SHARED, page.get(), 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    const auto* stats = static_cast<const StatsPage*>(memory);
    const bool same = stats->magic == kStatsMagic && stats->version == kStatsVersion && stats->slots == slots;
    ::munmap(memory, sizeof(StatsPage));
    return same;
}

}  // namespace penstock::keeper

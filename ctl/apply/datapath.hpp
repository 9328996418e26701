// SPDX-License-Identifier: Apache-2.0
// The data path in the kernel: BPF programs, their pinned maps, and their attachment to interfaces. It decides nothing: what maps hold is
// planned (ctl/plan), what is attached where is told by the caller.
//
//   <pin dir>/<abi hash>/maps/pst_*        found again by a restarted daemon, with all they hold
//                        links/xdp-<ifindex>   pinned bpf_links: programs stay attached without us
//
// A program is replaced in place, and only if it differs (by its tag and maps). Programs of others are never detached or replaced: an
// interface that has one is told as such and left alone. Sizes of maps that exist stay as they are. Nothing is taken away but by detach().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi/pst_abi.h"
#include "ctl/apply/netlink.hpp"
#include "ctl/plan/steering_plan.hpp"
#include "ctl/plan/step.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::apply {

struct DatapathOptions {
    std::string pin_dir = "/sys/fs/bpf/penstock";
    std::uint16_t nat_port_min = 61000;  // both included; outside ip_local_port_range
    std::uint16_t nat_port_max = 65535;
    // Entries of maps that are made new. flows: rounded up to a power of two, a quarter of which is used comfortably.
    std::uint32_t flows_max = 1U << 20;
    std::uint32_t vips_max = PST_VIPS_MAX;
    std::uint32_t services_max = PST_SERVICES_MAX;
    std::uint32_t backends_max = PST_BACKENDS_MAX;
    std::uint32_t slots_max = PST_SLOT_LINES_MAX * PST_SLOTS_PER_LINE;
};

enum class XdpMode : std::uint8_t { none, native, generic };

// What an interface shall have.
struct AttachWish {
    Interface interface;
    bool xdp = false;  // besides tc

    bool operator==(const AttachWish&) const = default;
};

struct Attached {
    std::uint32_t ifindex = 0;
    std::string name;
    XdpMode xdp = XdpMode::none;
    bool tc = false;
    bool xdp_transmits = false;
    std::string reason;  // why something that was asked for is not there; empty: all is
};

struct VerdictCount {
    std::string name;
    std::string text;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

class Datapath {
public:
    // Loads the programs, finds or makes the maps. Attaches nothing. Errors say what is missing (privilege, bpffs, kernel) and what to do.
    static Result<std::unique_ptr<Datapath>> open(const DatapathOptions& options);
    ~Datapath();
    Datapath(const Datapath&) = delete;
    Datapath& operator=(const Datapath&) = delete;

    [[nodiscard]] plan::Observed observed() const;
    // The Writer of apply_steps().
    Status write(const plan::Step& step);
    // Steps written since open(), configuration and links included.
    [[nodiscard]] std::uint64_t steps_total() const;

    // Attaches to those interfaces and to no others, and keeps pst_links in step. What fails is told in attached(), the rest is done.
    void attach(const std::vector<AttachWish>& wishes, Netlink& netlink);
    [[nodiscard]] const std::vector<Attached>& attached() const;

    [[nodiscard]] std::vector<VerdictCount> verdicts() const;
    [[nodiscard]] pst_backend_count backend_count(std::uint32_t id) const;
    [[nodiscard]] pst_service_count service_count(std::uint16_t id) const;

    [[nodiscard]] const std::string& folder() const;  // <pin dir>/<abi hash>
    // Folders of other ABIs beside ours: an older version's data path that still runs or was left.
    [[nodiscard]] std::vector<std::string> other_folders() const;

    // Takes everything of ours off this machine: links, tc filters, pinned maps. No daemon must run.
    static Status detach(const std::string& pin_dir);

private:
    struct Impl;
    explicit Datapath(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// "5f0c2e91": of the ABI headers without their comments.
[[nodiscard]] std::string_view abi_hash();

using Writer = std::function<Status(const plan::Step&)>;
// Stops at the first error, which says the step.
Status apply_steps(std::span<const plan::Step> steps, const Writer& write);

}  // namespace penstock::apply

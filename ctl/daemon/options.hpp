// SPDX-License-Identifier: Apache-2.0
// What the command line of penstockd says. Parsing decides nothing about the machine: whether a name is an interface or a data path
// works here is found out later, and told with the reason.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "userspace/base/ip.hpp"
#include "userspace/base/log.hpp"
#include "userspace/base/result.hpp"

namespace penstock::daemon {

enum class DatapathWish : std::uint8_t { automatic, xdp, userspace };

struct PortRange {
    std::uint16_t first = 0;  // both inclusive
    std::uint16_t last = 0;
    bool operator==(const PortRange&) const = default;
};

struct Options {
    std::string config;                    // folder of manifests; empty: none
    bool kubernetes = false;               // follow the API that kubeconfig, $KUBECONFIG or this pod names
    std::string kubeconfig;
    std::string context;                   // of the kubeconfig; empty: its current one
    std::string node;                      // name of this node; empty: that of the machine
    std::string state_dir = "/run/penstock";
    std::string pin_dir = "/sys/fs/bpf/penstock";
    DatapathWish datapath = DatapathWish::automatic;
    std::vector<std::string> interfaces;   // empty: those with a default route or a global address
    std::vector<IpAddress> addresses;      // for Gateways without spec.addresses; empty: the node's global addresses
    std::string announce = "auto";         // interface for Gateways' addresses; auto: of each address' network; off: nothing is announced or shared
    unsigned workers = 0;                  // threads of the worker; 0: one per core
    std::string ring = "auto";             // auto, io_uring, epoll: passed on to the worker
    std::string ktls = "off";              // off, auto: passed on to the worker
    std::vector<std::string> session_keys; // files; empty: one of the daemon's own
    std::string worker_user;               // passed on to the keeper; empty: its default
    std::string access_log;                // passed on to the keeper; empty: standard output
    bool hand_over = false;                // take over from the Penstock that has this state folder, and let the next one do so
    PortRange nat_ports{61000, 65535};     // source ports of NAT
    std::uint32_t flows_max = 1U << 20;    // entries of the flow table
    std::uint32_t vips_max = 4096;
    std::uint32_t services_max = 16384;
    std::uint32_t backends_max = 65536;
    std::chrono::milliseconds resync_interval{0};  // between reconciliations that no event asks for; 0: at random in 12 to 24 hours
    std::optional<Endpoint> metrics;       // where the worker serves /metrics; nothing: nowhere
    log::Level log_level = log::Level::info;
    bool detach = false;                   // take the data path off this machine and leave
};

// What main does instead of running: text for stdout (--help, --version) or an error with its own words on stderr.
struct Leave {
    int exit_code = 0;  // 0, or 2 for usage
    std::string text;
};

std::variant<Options, Leave> parse_options(int argc, const char* const* argv);

std::string_view name_of(DatapathWish wish);

// Addresses are shared out among the cluster's nodes.
inline bool shares_addresses(const Options& options) { return options.kubernetes && options.announce != "off"; }

}  // namespace penstock::daemon

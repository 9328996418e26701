// SPDX-License-Identifier: Apache-2.0
// Step: one write to one map, as a value. plan makes them, apply carries them out, people read them: "write pst_vips[10.0.0.1:443]".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "bpf/abi/pst_abi.h"
#include "userspace/base/ip.hpp"

namespace penstock::plan {

// Key of pst_vips in readable form; port in host order.
struct VipKey {
    Endpoint address;
    std::uint8_t proto = 0;  // IPPROTO_TCP, IPPROTO_UDP

    auto operator<=>(const VipKey&) const = default;
    [[nodiscard]] std::string text() const;  // "10.0.0.1:443/tcp"
};
[[nodiscard]] pst_vip_key to_abi(const VipKey& key);
[[nodiscard]] VipKey from_abi(const pst_vip_key& key);
[[nodiscard]] IpAddress address_from_abi(const std::uint8_t (&bytes)[16]);

// A service's slots: backend ids. Shared, because tables are cached from plan to plan.
using Slots = std::shared_ptr<const std::vector<std::uint32_t>>;

struct PutConfig {
    pst_config config;
};
struct PutFilter {
    std::uint16_t slot;
    std::uint8_t value;
};
struct PutVip {
    VipKey key;
    pst_vip vip;
};
struct EraseVip {
    VipKey key;
};
struct PutSlots {
    std::uint32_t offset;
    Slots slots;
};
struct PutService {
    std::uint16_t service;
    pst_service_word_t word;
};
struct PutBackend {
    std::uint32_t id;
    pst_backend backend;
    bool zero_counts;  // the id is given to another endpoint: its counters begin anew
};
struct PutLink {
    std::uint32_t number;
    pst_link link;  // ifindex 0: takes the link away
};
struct PutLinkOf {
    std::uint32_t ifindex;
    std::uint32_t number;
};
struct EraseLinkOf {
    std::uint32_t ifindex;
};

// The phases of a rollout (ctl/daemon/rollout.hpp): what is new comes before the worker is told, what goes away after it has taken the news.
enum class Phase : std::uint8_t { prepare, finish };

struct Step {
    using What = std::variant<PutConfig, PutFilter, PutVip, EraseVip, PutSlots, PutService, PutBackend, PutLink, PutLinkOf, EraseLinkOf>;

    Phase phase = Phase::prepare;
    What what;

    [[nodiscard]] std::string map() const;   // "pst_vips"
    [[nodiscard]] std::string text() const;  // "write pst_vips[10.0.0.1:443/tcp]", "delete pst_vips[...]"
};

}  // namespace penstock::plan

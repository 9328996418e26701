// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The world of the packet table. For each family, on the addresses 192.0.2.10 and 2001:db8:1::10:
//   80/tcp, 53/udp  a service whose backend is sent to by XDP
//   443/tcp         ours
//   81/tcp          a service without backends
//   82/tcp          a backend behind the kernel's neighbour table (tc)
//   83/tcp          a backend whose next hop is not known
//   84/tcp          a backend in a pod behind a veth (tc, peer)
// There is one NAT port, so that rows can name it.
#include <arpa/inet.h>

#include "bpf/core/pst_config.h"
#include "bpf/core/pst_hash.h"
#include "bpf/core/pst_service.h"
#include "bpf/test/packet_table.hpp"

namespace penstock::bpf_test {

namespace {

struct Listener {
    std::uint16_t port;
    std::uint8_t proto;
    pst_vip_kind kind;
    pst_exit exit;  // of its one backend
};

constexpr Listener kListeners[] = {
    {80, 6, PST_VIP_SERVICE, PST_EXIT_XMIT},  {53, 17, PST_VIP_SERVICE, PST_EXIT_XMIT}, {443, 6, PST_VIP_OURS, PST_EXIT_NONE},
    {81, 6, PST_VIP_SERVICE, PST_EXIT_NONE},  {82, 6, PST_VIP_SERVICE, PST_EXIT_NEIGH}, {83, 6, PST_VIP_SERVICE, PST_EXIT_NONE},
    {84, 6, PST_VIP_SERVICE, PST_EXIT_PEER},
};

void put_filter(Tables& t, const std::string& address, std::uint8_t kind) {
    pst_addr a{};
    put_address(a.byte, address);
    t.filter->slot[pst_filter_slot(&a)] |= kind;
}

void put_backend(Tables& t, std::uint32_t id, const Listener& l, bool v6) {
    pst_backend& b = t.backends[id];
    b = {};
    put_address(b.addr, v6 ? "fd00:1::1" : "10.0.1.1");
    put_address(b.nat_addr, v6 ? "fd00::1" : "10.0.0.1");
    b.ifindex = kFabric;
    b.port_be = htons(8080);
    b.service = static_cast<std::uint16_t>(id);
    b.flags = PST_BACKEND_READY;
    b.exit = static_cast<std::uint8_t>(l.exit);
    b.xdp = l.exit == PST_EXIT_XMIT;
    if (l.exit == PST_EXIT_NEIGH) {
        put_address(b.hop.next_hop, v6 ? "fd00:1::1" : "10.0.1.1");
    } else {
        put_mac(b.hop.mac.dmac, "02:00:00:00:00:b1");
        put_mac(b.hop.mac.smac, "02:00:00:00:00:02");
    }
}

void put_listener(Tables& t, std::uint32_t id, const Listener& l, bool v6) {
    pst_vip_key key{};
    put_address(key.addr, v6 ? "2001:db8:1::10" : "192.0.2.10");
    key.port_be = htons(l.port);
    key.proto = l.proto;
    pst_vip vip{};
    vip.kind = static_cast<std::uint8_t>(l.kind);
    vip.service = static_cast<std::uint16_t>(id);
    t.put_vip(key, vip);
    if (l.kind != PST_VIP_SERVICE) { return; }
    put_backend(t, id, l, v6);
    for (std::uint32_t slot = 0; slot < 7; slot++) { t.slots[id].backend[slot] = id; }
    t.services[id] = pst_service_word(id * PST_SLOTS_PER_LINE, l.port == 81 ? 0 : 7, 1);
}

template <class T>
void clear(std::span<T> table) {
    for (T& element : table) { element = {}; }
}

}  // namespace

void build_world(Tables& t) {
    clear(t.services), clear(t.slots), clear(t.backends), clear(t.links), clear(t.flows), clear(t.returns);
    clear(t.trials), clear(t.trial_index), clear(t.sources);
    *t.filter = {};
    *t.config = {};
    pst_config_defaults(t.config);
    t.config->abi_version = PST_ABI_VERSION;
    for (std::uint64_t i = 0; i < 2; i++) {
        t.config->flow_key[i] = 0x0123456789abcdefULL + i;
        t.config->steer_key[i] = 0xfedcba9876543210ULL + i;
    }
    t.config->flow_mask = kFlowLines - 1;
    t.config->return_mask = kReturns - 1;
    t.config->trial_mask = kTrials - 1;
    t.config->source_mask = kSources - 1;
    t.config->nat_port_min = t.config->nat_port_max = kNatPort;
    t.links[3].ifindex = kUplink;
    t.links[3].flags = PST_LINK_XDP_XMIT;
    put_mac(t.links[3].mac, "02:00:00:00:00:01");
    t.put_link(kUplink, 3);
    std::uint32_t id = 1;
    for (const bool v6 : {false, true}) {
        put_filter(t, v6 ? "2001:db8:1::10" : "192.0.2.10", PST_FILTER_VIP);
        put_filter(t, v6 ? "fd00::1" : "10.0.0.1", PST_FILTER_NAT);
        for (const Listener& l : kListeners) { put_listener(t, id++, l, v6); }
    }
    t.config_changed();
}

}  // namespace penstock::bpf_test

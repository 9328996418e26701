// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/step.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace penstock::plan {

namespace {

constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// What a step is about: map, key in readable form, and whether it takes something away.
struct About {
    const char* map;
    std::string key;
    bool erases = false;
};

struct Describe {
    About operator()(const PutConfig&) const { return {"pst_config", "0"}; }
    About operator()(const PutFilter& s) const { return {"pst_filter", std::to_string(s.slot)}; }
    About operator()(const PutVip& s) const { return {"pst_vips", s.key.text()}; }
    About operator()(const EraseVip& s) const { return {"pst_vips", s.key.text(), true}; }
    About operator()(const PutSlots& s) const {
        return {"pst_slots", std::to_string(s.offset) + "+" + std::to_string(s.slots->size())};
    }
    About operator()(const PutService& s) const { return {"pst_services", std::to_string(s.service), s.word == 0}; }
    About operator()(const PutBackend& s) const {
        const Endpoint endpoint{address_from_abi(s.backend.addr), ntohs(s.backend.port_be)};
        return {"pst_backends", std::to_string(s.id) + " " + endpoint.text(), (s.backend.flags & PST_BACKEND_READY) == 0};
    }
    About operator()(const PutLink& s) const { return {"pst_links", std::to_string(s.number), s.link.ifindex == 0}; }
    About operator()(const PutLinkOf& s) const { return {"pst_link_of", std::to_string(s.ifindex)}; }
    About operator()(const EraseLinkOf& s) const { return {"pst_link_of", std::to_string(s.ifindex), true}; }
};

}  // namespace

std::string VipKey::text() const { return address.text() + (proto == 6 ? "/tcp" : proto == 17 ? "/udp" : "/" + std::to_string(proto)); }

pst_vip_key to_abi(const VipKey& key) {
    pst_vip_key abi{};
    std::memcpy(abi.addr, key.address.address.bytes.data(), sizeof(abi.addr));
    abi.port_be = htons(key.address.port);
    abi.proto = key.proto;
    return abi;
}

VipKey from_abi(const pst_vip_key& key) {
    return {.address = {.address = address_from_abi(key.addr), .port = ntohs(key.port_be)}, .proto = key.proto};
}

IpAddress address_from_abi(const std::uint8_t (&bytes)[16]) {
    IpAddress address;
    std::copy(std::begin(bytes), std::end(bytes), address.bytes.begin());
    address.family = std::equal(std::begin(kMapped), std::end(kMapped), bytes) ? Family::v4 : Family::v6;
    return address;
}

std::string Step::map() const { return std::visit(Describe(), what).map; }

std::string Step::text() const {
    const About about = std::visit(Describe(), what);
    return std::string(about.erases ? "delete " : "write ") + about.map + "[" + about.key + "]";
}

}  // namespace penstock::plan
